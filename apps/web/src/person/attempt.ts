/** How often an account may be tried with a wrong password: from one address, and from all of them. Who knows the password
 *  costs nothing, and an address that has signed in to the account before cannot be kept out by tries from elsewhere. */
import type { Pool } from "pg";

const FROM_ONE_MAX = 20;
const FROM_ALL_MAX = 100;
/** Longer than any other window that is counted in the same table. */
export const WINDOW_MS = 15 * 60_000;

export const accountKey = (email: string): string => `account:${email.trim().toLowerCase().slice(0, 320)}`;
const addressKey = (email: string, address: string): string => `${accountKey(email)}@${address.slice(0, 64)}`;

/** Counts one try before the password is looked at, so that many at once are counted too; false once there were too
 *  many within the window. */
export async function countAttempt(pool: Pool, email: string, address: string): Promise<boolean> {
  const ofAddress = await count(pool, addressKey(email, address));
  if (ofAddress > FROM_ONE_MAX) return false;
  const ofAll = await count(pool, accountKey(email));
  return ofAll <= FROM_ALL_MAX || (await signedInFrom(pool, email, address));
}

/** The password was right: the address begins anew, and the try is taken off the account's. */
export async function forgetAttempt(pool: Pool, email: string, address: string): Promise<void> {
  await pool.query("DELETE FROM person_rate_limit WHERE key = $1", [addressKey(email, address)]);
  await pool.query("UPDATE person_rate_limit SET count = greatest(count - 1, 0) WHERE key = $1", [accountKey(email)]);
}

async function count(pool: Pool, key: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `INSERT INTO person_rate_limit AS l (id, key, count, last_request) VALUES ($1, $1, 1, $2)
     ON CONFLICT (key) DO UPDATE SET
       count = CASE WHEN l.last_request < $2::bigint - $3::bigint THEN 1 ELSE l.count + 1 END,
       last_request = CASE WHEN l.last_request < $2::bigint - $3::bigint THEN $2::bigint ELSE l.last_request END
     RETURNING count`,
    [key, Date.now(), WINDOW_MS],
  );
  return rows[0]?.count ?? 1;
}

async function signedInFrom(pool: Pool, email: string, address: string): Promise<boolean> {
  const { rows } = await pool.query(
    `SELECT 1 FROM person_session s JOIN person p ON p.id = s.person_id
      WHERE lower(p.email) = lower($1) AND s.ip_address = $2 LIMIT 1`,
    [email.trim(), address],
  );
  return rows.length > 0;
}
