/** Postgres' word that records were committed → which records, to every live tail of this process. One connection and one
 *  look at the trails' sizes serve them all, however many watch. What is missed while the connection is away is found by
 *  comparing sizes when it is back: nothing is told twice, and nothing is left out. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client, Pool } from "pg";

/** Records `from` (inclusive) to `to` (exclusive) of a trail are committed and were not told yet. */
export type Moved = { trail: number; from: number; to: number };
export type OnMoved = (moved: readonly Moved[]) => void;

/** Commits that come together are looked at together. */
const GATHER_MS = 100;
const RETRY_MS = 1_000;

export class Heard {
  readonly #pool: Pool;
  readonly #connect: () => Client;
  readonly #watchers = new Set<OnMoved>();
  /** By trail. Unset until the first look: what was there before the first watcher is nobody's news. */
  #sizes: Map<number, number> | undefined;
  #running: AbortController | undefined;
  #ready = Promise.withResolvers<void>();
  #wake: () => void = () => undefined;
  /** Trails that were named since the last look; "all" where a notification named none. */
  #named: Set<number> | "all" = new Set();

  constructor(pool: Pool, connect: () => Client) {
    this.#pool = pool;
    this.#connect = connect;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Tells `on` of everything committed after `ready`, until `stop`. Listens only while somebody watches. */
  watch(on: OnMoved): { ready: Promise<void>; stop: () => void } {
    this.#watchers.add(on);
    if (!this.#running) {
      this.#running = new AbortController();
      this.#ready = Promise.withResolvers<void>();
      void this.#run(this.#running.signal);
    }
    const stop = () => {
      this.#watchers.delete(on);
      if (this.#watchers.size > 0) return;
      this.#running?.abort();
      this.#running = undefined;
      this.#sizes = undefined;
      this.#wake();
    };
    return { ready: this.#ready.promise, stop };
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const client = this.#connect();
      let gone = false;
      const lost = () => {
        gone = true;
        this.#wake();
      };
      client.on("error", lost).on("end", lost);
      client.on("notification", ({ payload }) => this.#name(payload));
      try {
        await client.connect();
        await client.query("LISTEN record");
        this.#named = "all"; // after LISTEN, so that nothing falls between the two
        while (!gone && !signal.aborted) {
          await this.#look(signal);
          await delay(GATHER_MS);
          if (this.#isNamed() || gone || signal.aborted) continue;
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      } catch (error) {
        if (!signal.aborted)
          console.error(JSON.stringify({ event: "records.unheard", reason: (error as Error).message }));
      } finally {
        await client.end().catch(() => undefined); // gone already
      }
      if (!signal.aborted) await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #isNamed(): boolean {
    return this.#named === "all" || this.#named.size > 0;
  }

  #name(payload: string | undefined): void {
    const trails = readTrails(payload);
    if (trails.length === 0) this.#named = "all";
    else if (this.#named !== "all") for (const trail of trails) this.#named.add(trail);
    this.#wake();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const named = this.#named;
    this.#named = new Set();
    const { rows } = await this.#pool
      .query<{ num: number; size: string }>("SELECT num, size FROM trail WHERE $1::int[] IS NULL OR num = ANY($1)", [
        named === "all" ? null : [...named],
      ])
      .catch((error: Error) => {
        this.#named = "all"; // not looked at: the next look finds it
        throw error;
      });
    if (signal.aborted) return;
    const before = this.#sizes;
    const sizes = before ?? new Map<number, number>();
    this.#sizes = sizes;
    this.#ready.resolve();
    const moved: Moved[] = [];
    for (const { num, size } of rows) {
      const to = Number(size);
      const from = before ? (sizes.get(num) ?? 0) : to;
      sizes.set(num, to);
      if (to > from) moved.push({ trail: num, from, to });
    }
    if (moved.length > 0) for (const on of this.#watchers) on(moved);
  }
}

/** The trails that a notification names; none where it names none or cannot be read: then all are looked at. */
function readTrails(payload: string | undefined): number[] {
  try {
    const { trails } = JSON.parse(payload ?? "") as { trails?: unknown };
    return Array.isArray(trails) && trails.every((each) => Number.isInteger(each)) ? (trails as number[]) : [];
  } catch {
    return [];
  }
}
