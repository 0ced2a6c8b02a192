/** When a destination that failed is tried again. Pure. */

const FIRST_MS = 5_000;
const WAIT_MS_MAX = 900_000;
/** A receiver that asks for longer is asked again after this. */
const ASKED_MS_MAX = 3_600_000;

/** Twice as long each time, a quarter more or less, so that what failed together does not come back together.
 *  @param failures in a row, this one among them; @param random from 0 to 1; @param askedMs what `Retry-After` said */
export function waitMs(failures: number, random: number, askedMs = 0, firstMs = FIRST_MS): number {
  const doubled = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), WAIT_MS_MAX);
  return Math.round(Math.max(doubled * (0.75 + random / 2), Math.min(askedMs, ASKED_MS_MAX)));
}

/** RFC 9110, 10.2.3: seconds or a date; 0 where it is absent or neither. */
export function retryAfterMs(header: string | undefined, now: number): number {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = /[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
