/** A span of time → bars of one length, each at a round moment. Pure. */

/** More are too thin to point at. */
export const BARS_MAX = 72;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** From six hours on a bar holds whole partitions of records, which were counted when they were sealed. */
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 7, 14, 28].map((each) => each * DAY),
];

/** `fromMs`: when the first begins. */
export type Bars = { fromMs: number; stepMs: number; count: number };

/** At least one; the first and the last may reach beyond the span. */
export function barsOf(sinceMs: number, untilMs: number): Bars {
  const span = Math.max(1, untilMs - sinceMs);
  // one more than fit, as neither end needs to be at a round moment
  const least = span / (BARS_MAX - 1);
  const longest = STEPS_MS.at(-1)!;
  const stepMs = STEPS_MS.find((each) => each >= least) ?? Math.ceil(least / longest) * longest;
  const fromMs = Math.floor(sinceMs / stepMs) * stepMs;
  return { fromMs, stepMs, count: Math.max(1, Math.ceil((sinceMs + span - fromMs) / stepMs)) };
}

/** The last that a filter takes. */
const LAST_MS = Date.UTC(9_999, 11, 31, 23, 59, 59, 999);

type Range = { since?: string | undefined; until?: string | undefined };

/** A time narrowed to some bars: they may reach beyond what was chosen, which stays as it was written. */
export function narrowed({ since, until }: Range, fromMs: number, toMs: number): { since: string; until: string } {
  const iso = (ms: number) => new Date(Math.min(ms, LAST_MS)).toISOString();
  return {
    since: since !== undefined && Date.parse(since) >= fromMs ? since : iso(fromMs),
    until: until !== undefined && Date.parse(until) <= toMs ? until : iso(toMs),
  };
}

/** Which of them a moment lies in; what is outside counts to the nearest. */
export function barAt({ fromMs, stepMs, count }: Bars, ms: number): number {
  return Math.max(0, Math.min(count - 1, Math.floor((ms - fromMs) / stepMs)));
}
