/** The first owner: while there is none, whoever starts the console may print a one-time link. Only the hash is kept. */
import { createHash, randomBytes } from "node:crypto";
import type { Pool, PoolClient } from "pg";

const CODE_BYTES = 18;
/** The code is printed at each start and made anew, so it need not live long. */
const CODE_HOURS = 48;

export const hashCode = (code: string): Buffer => createHash("sha256").update(`sallyport/invite/1\n${code}`).digest();
export const newCode = (): string => randomBytes(CODE_BYTES).toString("base64url");

export async function hasOwner(db: Pool | PoolClient): Promise<boolean> {
  const { rows } = await db.query("SELECT 1 FROM person WHERE role = 'owner' AND disabled_at IS NULL LIMIT 1");
  return rows.length > 0;
}

/** A code for `/setup?code=…`, or nothing where there is an owner already. A code printed before stops working. */
export async function makeSetupCode(pool: Pool): Promise<string | undefined> {
  if (await hasOwner(pool)) return undefined;
  const code = newCode();
  await pool.query(
    `WITH gone AS (DELETE FROM person_invite WHERE role = 'owner' AND made_by IS NULL AND used_at IS NULL)
     INSERT INTO person_invite (id, code_hash, role, expires_at)
     VALUES ($1, $2, 'owner', now() + make_interval(hours => $3))`,
    [randomBytes(16).toString("hex"), hashCode(code), CODE_HOURS],
  );
  return code;
}
