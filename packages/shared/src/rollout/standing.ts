/** How one workstation stands to a revision, by what it reported and never by what it was sent. Pure. */
import { SECTIONS, type SectionName } from "../policy/policy.ts";

export const STANDINGS = ["done", "failed", "waiting", "unreachable"] as const;
export type StandingWord = (typeof STANDINGS)[number];
export type Standing = { word: StandingWord; reason: string };
/** Always all four, so that they add up to everybody. */
export type Counts = Record<StandingWord, number>;
export const NOBODY: Counts = { done: 0, failed: 0, waiting: 0, unreachable: 0 };

/** Reports that may be missed before a workstation counts as unreachable, and the least that is waited. */
const REPORTS_MISSED = 3;
const UNHEARD_MS_MIN = 180_000;
export const unheardMs = (reportSeconds: number): number =>
  Math.max(UNHEARD_MS_MIN, REPORTS_MISSED * reportSeconds * 1000);

export type Found = {
  digest: string | null;
  order: number | null;
  sections: Readonly<Record<string, { outcome: string; reason?: string | undefined; pending?: boolean | undefined }>>;
  refused: { order?: number | undefined; reason: string } | null;
};
/** `before` are the sections that were not as their policy said when it was told: no fault of the new revision. */
export type Told = { before: readonly string[]; heard: boolean };
export type Seen = { told: Told | null; found: Found | null; unheardForMs: number | null };

const isFine = (outcome: string | undefined): boolean => outcome === "applied" || outcome === "audit";

/** Sections that are not as the policy in force says. */
export const unfine = (found: Found | null): SectionName[] =>
  found ? SECTIONS.filter((name) => !isFine(found.sections[name]?.outcome)) : [];

export function standing(
  wanted: { digest: string; order: number },
  { told, found, unheardForMs }: Seen,
  unheardMsMax: number,
): Standing {
  const isHeard = unheardForMs !== null && unheardForMs <= unheardMsMax;
  if (told && found && found.digest === wanted.digest && (found.order ?? 0) >= wanted.order)
    return inForce(found, told);
  if (told && found?.refused && found.refused.order === wanted.order)
    return { word: "failed", reason: `refused: ${found.refused.reason}` };
  if (!isHeard) {
    const since = unheardForMs === null ? "never heard from" : `not heard from for ${minutes(unheardForMs)}`;
    return { word: "unreachable", reason: `${since}; it gets what it should have when it is back` };
  }
  if (!told) return { word: "waiting", reason: "not told yet" };
  const has = found?.order ? `has r${found.order} in force` : "has no policy in force";
  return { word: "waiting", reason: `told; ${has}` };
}

function inForce(found: Found, told: Told): Standing {
  const wrong = unfine(found);
  const why = (names: readonly SectionName[]) =>
    names.map((name) => `${name}: ${found.sections[name]?.reason ?? "not reported"}`).join("; ");
  const broken = wrong.filter((name) => !told.before.includes(name));
  // what is still being fetched is no failure; the guard that bounds the time bounds this
  if (broken.length > 0 && broken.every((name) => found.sections[name]?.pending))
    return { word: "waiting", reason: `told; ${why(broken)}` };
  if (broken.length > 0) return { word: "failed", reason: why(broken) };
  if (wrong.length > 0) return { word: "done", reason: `in force; not applied, as before it: ${why(wrong)}` };
  return { word: "done", reason: "in force, found by looking" };
}

const minutes = (ms: number): string => {
  const whole = Math.floor(ms / 60_000);
  return whole < 120 ? `${whole} min` : `${Math.floor(whole / 60)} h`;
};

export const total = ({ done, failed, waiting, unreachable }: Counts): number => done + failed + waiting + unreachable;

export function sum(all: readonly Counts[]): Counts {
  const result = { ...NOBODY };
  for (const counts of all) for (const word of STANDINGS) result[word] += counts[word];
  return result;
}
