/** A receipt that says less than was committed: of two workers' receipts either may come first, so the console is asked
 *  once more, and what it answers then decides. Times are milliseconds of a monotonic clock that the caller reads. */
import { STAND_WAIT_MS } from "../limits.ts";

export class Doubt {
  #sinceMs: number | undefined;
  /** Asked once: undefined when it was. */
  #askMs: number | undefined;

  /** False where there is one already. */
  begin(nowMs: number): boolean {
    if (this.#sinceMs !== undefined) return false;
    this.#sinceMs = nowMs;
    this.#askMs = nowMs + STAND_WAIT_MS;
    return true;
  }

  /** Whether a receipt decides it now: what else was late has come by then. */
  decides(nowMs: number): boolean {
    return this.#sinceMs !== undefined && nowMs - this.#sinceMs >= STAND_WAIT_MS;
  }

  /** How long until the console is to be asked; undefined where there is nothing to ask. */
  untilAsked(nowMs: number): number | undefined {
    return this.#askMs === undefined ? undefined : this.#askMs - nowMs;
  }

  asked(): void {
    this.#askMs = undefined;
  }

  end(): void {
    this.#sinceMs = undefined;
    this.#askMs = undefined;
  }
}
