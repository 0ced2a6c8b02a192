/** A clock in doubt → an alert, once a day; and whether the database's agrees with this machine's ↔ Postgres. */
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import type { Pool } from "pg";
import { JUMP_MS } from "./clock.ts";

export const KIND = "console.clock";

/** Counted up where it goes on. */
export async function raiseClock(pool: Pool, reason: string, now: Date): Promise<void> {
  await pool.query(
    `WITH raised AS (
       INSERT INTO alert (key, kind, severity, title, reason) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (key) DO UPDATE SET count = alert.count + 1, last_at = now(), reason = excluded.reason)
     SELECT pg_notify('alert', '')`,
    [
      `clock/${now.toISOString().slice(0, 10)}`,
      KIND,
      SEVERITIES.indexOf("critical"),
      "The console's clock cannot be believed",
      reason,
    ],
  );
}

/** In words how far the database's clock is from this machine's, where that is too far. */
export async function apartWords(pool: Pool, now: () => number): Promise<string | undefined> {
  const { rows } = await pool.query<{ at: Date }>("SELECT clock_timestamp() AS at");
  const apartMs = rows[0]!.at.getTime() - now();
  if (Math.abs(apartMs) <= JUMP_MS) return undefined;
  return `The database's clock is ${Math.round(Math.abs(apartMs) / 60_000)} minutes ${apartMs > 0 ? "ahead of" : "behind"} the worker's. No partition is opened or sealed until they agree. Look at the time service of both machines.`;
}
