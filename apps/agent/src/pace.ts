/** Waiting with an end, and delays that do not fall together over a fleet. */

/** Between half of the delay and the whole of it. */
export const jittered = (delayMs: number, random: () => number = Math.random): number => delayMs * (0.5 + random() / 2);

/** Until the time is over or the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** A bell: many may ring, one waits. What rang while nobody waited is not lost. */
export class Bell {
  #rung = false;
  #wake = () => {};

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Until it rings, the time is over, or the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          this.#wake = () => {};
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal.addEventListener("abort", done, { once: true });
        this.#wake = done;
      });
    }
    this.#rung = false;
  }
}

/** Yields at once, at each ring, and at the latest each `everyMs`, asked before each wait. Ends with the signal. */
export async function* wakes(bell: Bell, everyMs: number | (() => number), signal: AbortSignal): AsyncGenerator<void> {
  for (bell.ring(); ; ) {
    await bell.wait(typeof everyMs === "number" ? everyMs : everyMs(), signal);
    if (signal.aborted) return;
    yield;
  }
}
