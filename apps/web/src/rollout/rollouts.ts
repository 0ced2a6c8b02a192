/** The worker's loop over rollouts that are under way: woken by a change of theirs or a timer, it looks at each and does
 *  what the rows say, at the pace they say. All it knows is in the rows, so a worker that starts again goes on. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { type StepDeps, step } from "./step.ts";

/** While some are to be told. */
const TELL_MS = 1_000;
const LOOK_MS = 5_000;
/** One of a group; a site with more groups under way at once looks at the rest in the next round. */
const ROLLOUTS_MAX = 500;

export type RolloutsDeps = StepDeps & { log: Logger; lookMs?: number };

export class Rollouts {
  readonly #deps: RolloutsDeps;
  #wake: () => void = () => undefined;
  #woken = false;

  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
  }

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, lookMs = LOOK_MS } = this.#deps;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      this.#woken = false;
      let isTelling = false;
      try {
        isTelling = await this.#look(signal);
      } catch (error) {
        log.warn({ error: (error as Error).message }, "rollouts.failed");
      }
      // a wake by our own telling must not outrun the pace
      await delay(Math.min(TELL_MS, lookMs), undefined, { signal }).catch(() => undefined);
      if (!isTelling && !this.#woken) await this.#sleep(lookMs, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<boolean> {
    const { pool, log } = this.#deps;
    const { rows } = await pool.query<{ id: string }>(
      "SELECT id FROM rollout WHERE ended_at IS NULL ORDER BY looked_at NULLS FIRST LIMIT $1",
      [ROLLOUTS_MAX],
    );
    let isTelling = false;
    for (const { id } of rows) {
      if (signal.aborted) break;
      try {
        if ((await step(this.#deps, id)) === "telling") isTelling = true;
      } catch (error) {
        log.warn({ rollout: id, error: (error as Error).message }, "rollout.failed"); // the others go on
      }
    }
    return isTelling;
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const timer = setTimeout(() => this.#wake(), ms);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    clearTimeout(timer);
  }
}
