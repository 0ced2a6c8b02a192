/** `30d`, `12h` or a moment → how far back a replay goes. Pure. */
import { fail, ok, type Result } from "../base/result.ts";

const HOUR_MS = 3_600_000;
const UNITS: Record<string, number> = { h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS };

/** Milliseconds since 1970. */
export function readSince(text: string, nowMs: number): Result<number> {
  const [, count, unit] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return ok(Math.max(0, nowMs - Number(count) * UNITS[unit]!));
  const moment = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) return fail(`"${text}" is no span or moment; one reads 30d, 12h or 2026-11-24T08:00:00Z`);
  return moment > nowMs ? fail(`${text} has not come yet`) : ok(Math.max(0, moment));
}
