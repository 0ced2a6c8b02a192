/** Moments and signatures in words. Pure. */
import type { Approval } from "./store.ts";

/** `2026-11-24 08:00Z`: the trail's clock is UTC, and so is what is asked of it. */
export const minute = (iso: string): string => `${iso.slice(0, 16).replace("T", " ")}Z`;

const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.\d{1,3})?)?)? ?Z?$/;

/** What a person typed, as an ISO time in UTC; a day alone is its first moment. Nothing where it is no moment. */
export function readMoment(text: string): string | undefined {
  const [, day, hour = "00:00", second = "00"] = MOMENT.exec(text.trim()) ?? [];
  if (day === undefined) return undefined;
  const date = new Date(`${day}T${hour}:${second}.000Z`);
  return Number.isNaN(date.getTime()) || !date.toISOString().startsWith(day) ? undefined : date.toISOString();
}

/** Clocks differ by so much. */
const AHEAD_MS_MAX = 5 * 60_000;

/** Why nothing can be said of a moment; nothing where it can. */
export function notYetWords(at: Date, now: number): string | undefined {
  if (at.getTime() <= now + AHEAD_MS_MAX) return undefined;
  return `${at.toISOString()} has not come yet: what will be in force then is not known.`;
}

/** `signed by the console's key` or `signed by Anna, Ben and the console's key`. */
export function signerWords(signers: Approval["signers"]): string {
  const of = (role: string | null) => signers.filter((each) => each.role === role && !each.name).length;
  const keys = (count: number, one: string, many: string) => (count === 1 ? `one ${one} key` : `${count} ${many} keys`);
  const named = signers.flatMap(({ role, name }) => (role === "approver" && name ? [name] : []));
  const parts = [
    ...(named.length > 0 ? [named.join(", ")] : []),
    ...(of("approver") > 0 ? [keys(of("approver"), "approver’s", "approvers’")] : []),
    ...(of("console") > 0 ? ["the console’s key"] : []),
    ...(of(null) > 0 ? [`${keys(of(null), "other", "other")} that the group no longer has`] : []),
  ];
  return parts.length > 0 ? `signed by ${parts.join(" and ")}` : "with no signature kept";
}
