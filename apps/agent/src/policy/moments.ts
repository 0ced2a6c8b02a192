/** What time it is, by clocks of which each may be wrong or lie: dom0's own, and the console's signed word. Pure. No word
 *  that the console's key alone can give makes this workstation refuse what people sign later.
 *  (docs/decisions/2026-11-28-time-and-order.md) */
import { ISSUED_AHEAD_MS_MAX } from "@sallyport/shared/policy/verify.ts";

/** Milliseconds. `floor` has come for certain: the console's word and dom0's own clock both say so, or people signed it, or
 *  time has run since. `heard` is the console's word where it goes beyond that. */
export type Moments = { floor: number; heard: number };

/** Where dom0's own clock is known to be wrong, a machine that was off must still hear what time it is. */
const HEARD_AHEAD_MS_MAX = 31 * 86_400_000;

/** The floor runs by fractions of milliseconds and by steps of a clock that was set: a clock that is behind it by less is
 *  right, and is asked. */
const BEHIND_MS = 300_000;

const isBehind = (own: number, floor: number): boolean => own < floor - BEHIND_MS;

/** The latest that may have come: what ends an allowance, and from which on a statement was issued too far ahead. */
export const latestOf = (own: number, { floor, heard }: Moments): number =>
  isBehind(own, floor) ? Math.max(floor, heard) : Math.max(own, floor, Math.min(heard, own + ISSUED_AHEAD_MS_MAX));

/** The same without the console's word, unless there is nothing else to go by. */
export const issuedBy = (own: number, moments: Moments): number =>
  isBehind(own, moments.floor) ? latestOf(own, moments) : own;

/** The same for what the console's key alone may sign: its own word carries it a month beyond the floor and no further,
 *  however often it is given. */
export const issuedAlone = (own: number, moments: Moments): number =>
  Math.min(issuedBy(own, moments), Math.max(own, moments.floor + HEARD_AHEAD_MS_MAX));

/** The console's signed clock: the floor follows it up to dom0's own clock and no further. Undefined where it is so far
 *  ahead that one of the two clocks must be wrong; then it moves nothing. */
export function hear(own: number, { floor, heard }: Moments, time: number): Moments | undefined {
  const most = isBehind(own, floor) ? Math.max(floor, heard) + HEARD_AHEAD_MS_MAX : own + ISSUED_AHEAD_MS_MAX;
  if (time > most) return undefined;
  return { floor: Math.max(floor, Math.min(time, own)), heard: Math.max(heard, time) };
}

/** A statement that as many signed as must, and that has no end of its own: where dom0's clock agrees with it to a day,
 *  both together take back what was believed beyond them; where that clock is behind, what was signed stands for it. */
export function agree(own: number, { floor, heard }: Moments, issued: number): Moments {
  if (isBehind(own, floor) && Math.abs(own - issued) > ISSUED_AHEAD_MS_MAX) {
    const next = Math.max(floor, issued);
    return { floor: next, heard: next };
  }
  if (Math.abs(own - issued) > ISSUED_AHEAD_MS_MAX) return { floor: Math.max(floor, Math.min(own, issued)), heard };
  const agreed = Math.max(own, issued);
  return {
    floor: floor > agreed + ISSUED_AHEAD_MS_MAX ? agreed : Math.max(floor, Math.min(own, issued)),
    heard: Math.min(heard, agreed),
  };
}
