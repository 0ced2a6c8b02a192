/** A detector that ended between two looks and was started again by its unit: who can make it end (a packet that it falls over,
 *  say) is unseen for as long as that takes, and a look afterwards finds all as it should be. Times are dom0's clock in ms. */

/** One that was told to end, or did not answer, is expected to begin anew for so long. */
const EXPECTED_MS = 120_000;
/** One that falls over all the time is told so often, with how often it did. */
const TELL_MS = 600_000;

export class Restarts {
  /** The latest moment at which the one that runs can have begun. */
  #began: number | undefined;
  #expectedUntil = -Infinity;
  #untold = 0;
  #toldAt = -Infinity;

  /** It was told to end, or its silence was told. */
  expect(now: number): void {
    this.#expectedUntil = now + EXPECTED_MS;
  }

  /** How many to tell of now. `before` and `after` its answer it had run for so many whole seconds, by the same clock. */
  look({ before, upSeconds, after }: { before: number; upSeconds: number; after: number }): number {
    const earliest = before - (upSeconds + 1) * 1000;
    const latest = after - (upSeconds - 1) * 1000;
    if (this.#began !== undefined && earliest > this.#began) {
      if (after > this.#expectedUntil) this.#untold += 1;
      this.#began = latest;
    } else this.#began = Math.min(this.#began ?? latest, latest);
    if (this.#untold === 0 || after - this.#toldAt < TELL_MS) return 0;
    const count = this.#untold;
    this.#untold = 0;
    this.#toldAt = after;
    return count;
  }
}
