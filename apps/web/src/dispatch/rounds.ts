/** A look at the rows, again and again: woken, or at the latest each `lookMs`. Wakes that come within `gatherMs` are one;
 *  what rang during a look is looked at after it; a look that failed is told and repeated. */
import { setTimeout as delay } from "node:timers/promises";

/** Before a look that failed is repeated: a database that is away is not asked without a pause. */
const AGAIN_MS = 1_000;

export class Rounds {
  readonly #lookMs: number;
  readonly #gatherMs: number;
  #wake: () => void = () => undefined;
  #woken = false;

  constructor(lookMs: number, gatherMs = 0) {
    this.#lookMs = lookMs;
    this.#gatherMs = gatherMs;
  }

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal, look: () => Promise<void>, failed: (error: Error) => void): Promise<void> {
    const end = () => this.#wake();
    signal.addEventListener("abort", end, { once: true });
    while (!signal.aborted) {
      this.#woken = false;
      try {
        await look();
      } catch (error) {
        failed(error as Error);
        await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
      await this.#sleep(signal);
      if (this.#gatherMs > 0) await delay(this.#gatherMs, undefined, { signal }).catch(() => undefined);
    }
    signal.removeEventListener("abort", end);
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return;
    const timer = setTimeout(() => this.#wake(), this.#lookMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    clearTimeout(timer);
  }
}
