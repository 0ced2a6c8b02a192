/** What signing in leaves behind and nobody asks for again: counters of attempts, sign-ins half done, sessions long over.
 *  Anyone at the door can make the first two, so they are taken away at their own pace whatever happens there. */
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { WINDOW_MS } from "./attempt.ts";

const LOOK_MS = 60_000;
/** One statement's worth; a look makes as many as it takes, with a breath between. */
const ROWS = 5_000;
const BREATH_MS = 50;
/** A session that is over still says when somebody was last seen. */
const SESSION_DAYS = 90;

const STALE = [
  ["person_rate_limit", `last_request < (extract(epoch FROM now()) * 1000)::bigint - ${WINDOW_MS}`],
  ["person_verification", "expires_at < now()"],
  ["person_session", `expires_at < now() - interval '${SESSION_DAYS} days'`],
] as const;

/** How many rows went. */
export async function prune(pool: Pool, signal: AbortSignal): Promise<number> {
  let gone = 0;
  for (const [table, stale] of STALE)
    for (let full = true; full && !signal.aborted; ) {
      const { rowCount } = await pool.query(
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE ${stale} LIMIT ${ROWS})`,
      );
      gone += rowCount ?? 0;
      full = rowCount === ROWS;
      if (full) await delay(BREATH_MS, undefined, { signal }).catch(() => undefined);
    }
  return gone;
}

export async function keepPruned(pool: Pool, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const rows = await prune(pool, signal);
      if (rows > 0) log.info({ rows }, "sign-ins.pruned");
    } catch (error) {
      log.warn({ error: (error as Error).message }, "sign-ins.prune-failed");
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
