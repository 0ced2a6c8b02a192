/** The deny overlays that this workstation believes: the fleet's, its group's and its own, each the newest of its kind,
 *  each entry until its own end. Pure. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { CarriedOverlay, type OverlayEntry, overlayFault, stillDenied } from "@sallyport/shared/policy/overlay.ts";
import { Statement } from "@sallyport/shared/policy/statement.ts";
import type { Refusal } from "@sallyport/shared/policy/verify.ts";
import type { Clocks } from "@sallyport/shared/usb/exception.ts";
import { z } from "zod";
import type { Kept } from "./kept.ts";

/** `audience` as audienceKey has it; `digest` of what the statement carries. */
export type OverlayInForce = { audience: string; order: number; digest: Sha256; entries: OverlayEntry[] };

/** What a well-signed overlay may still have wrong with it. */
export function faultOfOverlay(statement: Statement, carried: unknown): Omit<Refusal, "statement"> | undefined {
  const read = CarriedOverlay.safeParse(carried);
  if (!read.success) return { code: "malformed", reason: z.prettifyError(read.error) };
  const reason = overlayFault(statement, read.data);
  return reason === undefined ? undefined : { code: "malformed", reason };
}

/** Believed, whether it has ended or not. */
export type HeldOverlay = OverlayInForce & { notAfter: string };

/** Another group's is no longer ours. */
export function heldOverlays(
  kept: Pick<Kept, "statements">,
  self: { workstation: WorkstationId; group: GroupId },
): HeldOverlay[] {
  return ["fleet", `group/${self.group}`, `workstation/${self.workstation}`].flatMap((audience) => {
    const key = `overlay/${audience}`;
    const held = Object.hasOwn(kept.statements, key) ? kept.statements[key] : undefined;
    if (!held) return [];
    const { order, digest, notAfter } = Statement.parse(JSON.parse(held.signed.text));
    const { entries } = CarriedOverlay.parse(JSON.parse(held.signed.carried));
    return [{ audience, order, digest, entries, notAfter: notAfter! }];
  });
}

/** Those that have not ended, each with the entries of it that have not; one may say that there are none. */
export const standing = (held: readonly HeldOverlay[], clocks: Clocks): OverlayInForce[] =>
  held.flatMap(({ notAfter, entries, ...overlay }) =>
    Math.min(clocks.now, clocks.floor) < Date.parse(notAfter)
      ? [{ ...overlay, entries: stillDenied(entries, clocks) }]
      : [],
  );

/** `next` is believed and not on disk yet: it adds to what stands and takes nothing from it. One that would take something
 *  away, or end it sooner, is called by the order before it until it is recorded. */
export function adding(kept: readonly OverlayInForce[], next: readonly OverlayInForce[]): OverlayInForce[] {
  return [...new Set([...kept, ...next].map(({ audience }) => audience))].map((audience) => {
    const [before, after] = [kept, next].map((overlays) => overlays.find((each) => each.audience === audience));
    if (!before || !after) return (before ?? after)!;
    const stay = before.entries.filter((entry) => !after.entries.some((other) => standsFor(other, entry)));
    if (stay.length === 0) return after;
    return { ...before, entries: [...stay, ...after.entries.filter(({ id }) => !stay.some((each) => each.id === id))] };
  });
}

const standsFor = (other: OverlayEntry, { id, what, until }: OverlayEntry): boolean =>
  other.id === id &&
  Date.parse(other.until) >= Date.parse(until) &&
  canonicalText(other.what as Json) === canonicalText(what as Json);

/** What is denied here, of all of them together; the same entry of two is one. */
export const deniedOf = (overlays: readonly OverlayInForce[]): OverlayEntry[] => [
  ...new Map(overlays.flatMap(({ entries }) => entries.map((entry) => [entry.id, entry] as const))).values(),
];
