/** A loop: room for what comes is made in time, and what is full or over is closed. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type pino from "pino";
import { apartWords, raiseClock } from "./clock-alert.ts";
import type { Ingest } from "./ingest.ts";
import { openPartitions, sealEnded, splitFull } from "./partitions.ts";

const LOOK_MS = 30_000;

/** Partitions are opened and sealed by the database's clock: neither that nor this machine's may be in doubt. */
export async function keepPartitions(
  pool: pg.Pool,
  ingest: Ingest,
  { clockDoubt, now }: { clockDoubt: () => string | undefined; now: () => number },
  log: pino.Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const doubt = clockDoubt() ?? (await apartWords(pool, now));
      if (doubt) {
        log.error({ reason: doubt }, "clock.doubted");
        await raiseClock(pool, doubt, new Date(now()));
        continue;
      }
      await openPartitions(pool);
      const split = await splitFull(pool);
      const sealed = await sealEnded(pool);
      if (split || sealed.length > 0) log.info({ split, sealed }, "partitions.changed");
      ingest.partitionsChanged();
    } catch (error) {
      log.warn({ error: (error as Error).message }, "partitions.failed");
    }
  }
}
