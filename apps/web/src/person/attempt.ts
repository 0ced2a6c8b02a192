/** How often one account may be tried, whatever address the tries come from. */
import type { Pool } from "pg";

const ATTEMPTS_MAX = 20;
/** Longer than any other window that is counted in the same table. */
export const WINDOW_MS = 15 * 60_000;

export const attemptKey = (email: string): string => `account:${email.trim().toLowerCase().slice(0, 320)}`;

/** Counts one attempt; false once there were too many within the window. */
export async function countAttempt(pool: Pool, email: string): Promise<boolean> {
  const { rows } = await pool.query<{ count: number }>(
    `INSERT INTO person_rate_limit AS l (id, key, count, last_request) VALUES ($1, $1, 1, $2)
     ON CONFLICT (key) DO UPDATE SET
       count = CASE WHEN l.last_request < $2::bigint - $3::bigint THEN 1 ELSE l.count + 1 END,
       last_request = CASE WHEN l.last_request < $2::bigint - $3::bigint THEN $2::bigint ELSE l.last_request END
     RETURNING count`,
    [attemptKey(email), Date.now(), WINDOW_MS],
  );
  return (rows[0]?.count ?? 1) <= ATTEMPTS_MAX;
}
