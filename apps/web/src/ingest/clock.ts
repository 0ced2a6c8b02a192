/** Whether this machine's clock may be believed: `received` is written once and partitions are sealed by it, so that a
 *  minute in a wrong year would stand for ever. A jump is not believed until it has stood; one that goes back counts for
 *  nothing. What a machine started with is believed. */

/** Slewing, a leap second and a machine that stalls stay below this. */
export const JUMP_MS = 10 * 60_000;
/** A clock that was set right, and a machine that slept, are believed after so long. */
export const STANDS_MS = 10 * 60_000;

/** `byMs`: how far the wall clock went beyond what passed. */
export type Doubt = { byMs: number; sinceMs: number };

/** Pure: both clocks are given at each look, in milliseconds. */
export class ClockWatch {
  /** Wall less monotonic: what only moves when the clock is set. */
  #offsetMs: number;
  #jump: { offsetMs: number; seenMs: number } | undefined;

  constructor(wallMs: number, monotonicMs: number) {
    this.#offsetMs = wallMs - monotonicMs;
  }

  look(wallMs: number, monotonicMs: number): Doubt | undefined {
    const offsetMs = wallMs - monotonicMs;
    const near = (other: number) => Math.abs(offsetMs - other) <= JUMP_MS;
    if (near(this.#offsetMs)) {
      this.#offsetMs = offsetMs;
      this.#jump = undefined;
      return undefined;
    }
    if (!this.#jump || !near(this.#jump.offsetMs)) this.#jump = { offsetMs, seenMs: monotonicMs };
    const sinceMs = monotonicMs - this.#jump.seenMs;
    if (sinceMs < STANDS_MS) return { byMs: offsetMs - this.#offsetMs, sinceMs };
    this.#offsetMs = offsetMs;
    this.#jump = undefined;
    return undefined;
  }
}

const UNITS: readonly [number, string][] = [
  [86_400_000, "days"],
  [3_600_000, "hours"],
  [60_000, "minutes"],
];

export function doubtWords({ byMs }: Doubt): string {
  const [ms, unit] = UNITS.find(([each]) => Math.abs(byMs) >= 2 * each) ?? [1000, "seconds"];
  const by = `${Math.round(Math.abs(byMs) / ms)} ${unit} ${byMs > 0 ? "ahead" : "back"}`;
  return `This machine's clock jumped ${by}. Nothing is committed until it is right again, or has stood for ${STANDS_MS / 60_000} minutes; workstations keep what they have. Look at its time service.`;
}
