/** Postgres' notifications → the loops they wake; and a database that is not there yet. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type pino from "pino";

const RETRY_MS = 1_000;

/** A database that is not there yet is waited for. */
export async function untilThere<T>(
  act: () => Promise<T>,
  log: pino.Logger,
  signal: AbortSignal,
): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await act();
    } catch (error) {
      log.warn({ error: (error as Error).message }, "postgres.waiting");
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

/** LISTEN → wakes. What is missed while the connection is away is found by the timers. */
export async function listenForChanges(
  databaseUrl: string,
  wakes: Readonly<Record<string, { wake(): void }>>,
  log: pino.Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({ connectionString: databaseUrl, keepAlive: true });
    try {
      const gone = new Promise<void>((resolve) => {
        client.on("error", () => resolve());
        client.on("end", () => resolve());
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      client.on("notification", ({ channel }) => wakes[channel]?.wake());
      await client.connect();
      for (const [channel, loop] of Object.entries(wakes)) {
        await client.query(`LISTEN ${channel}`);
        loop.wake();
      }
      await gone;
    } catch (error) {
      log.warn({ error: (error as Error).message }, "listen.failed");
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      await client.end().catch(() => undefined); // gone already
    }
  }
}
