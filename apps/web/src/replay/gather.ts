/** Records → inputs of decisions: the worker's loop behind ingest. A trail's cursor says how far it is, so that a worker
 *  that was killed goes on, and trails that were there before this table are caught up with, at the loop's own pace. */
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { gatherTrail, listBehind, pruneInputs } from "./gathered.ts";

/** Between two looks while there is more: ingest and pages come first. */
const BREATH_MS = 20;
/** New records are heard of often; so many together cost less. */
const PACE_MS = 2_000;
const LOOK_MS = 30_000;
/** What is too old goes so often. */
const PRUNE_MS = 24 * 3_600_000;

export type GatherDeps = { pool: Pool; log: Logger; lookMs?: number };

export class Gather {
  readonly #deps: GatherDeps;
  #wake: () => void = () => undefined;

  constructor(deps: GatherDeps) {
    this.#deps = deps;
  }

  wake(): void {
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pool, log, lookMs = LOOK_MS } = this.#deps;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    let prunedMs = 0;
    while (!signal.aborted) {
      let woken = false;
      this.#wake = () => {
        woken = true;
      };
      try {
        await catchUp(pool, signal);
        if (Date.now() - prunedMs > PRUNE_MS) {
          prunedMs = Date.now();
          await pruneInputs(pool, prunedMs, signal);
        }
      } catch (error) {
        log.warn({ error: (error as Error).message }, "replay.gather-failed");
      }
      await delay(Math.min(PACE_MS, lookMs), undefined, { signal }).catch(() => undefined);
      if (!woken) await this.#sleep(lookMs, signal);
    }
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

/** Until no trail is behind: a part of each in turn, so that a long one keeps nobody waiting. */
export async function catchUp(pool: Pool, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const trails = await listBehind(pool);
    let moved = false;
    for (const trail of trails) {
      if (signal.aborted) return;
      if (await gatherTrail(pool, trail)) moved = true;
      await delay(BREATH_MS, undefined, { signal }).catch(() => undefined);
    }
    if (!moved) return; // all are there, or another worker is at it
  }
}
