/** How long a workstation is cut off. Pure. A block ends by the latest clock: neither a clock set forward in dom0 nor a
 *  console that is away ends it early. */
import type { CommandId } from "../base/ids.ts";

export type Cut = { until: string; command: CommandId };

/** A second order only ever lengthens: the console's key alone must not end what more keys began. */
export const isolate = (before: Cut | undefined, next: Cut): Cut =>
  before && Date.parse(before.until) >= Date.parse(next.until) ? before : next;

/** `floor` is the latest moment known for certain, `now` dom0's own clock; milliseconds. */
export const inForce = (cut: Cut | undefined, floor: number, now: number): Cut | undefined =>
  cut && Math.min(floor, now) < Date.parse(cut.until) ? cut : undefined;
