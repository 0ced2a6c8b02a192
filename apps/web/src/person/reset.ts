/** The way back in for somebody who lost their second factor or password: everything that lets them in is taken away, and
 *  a one-time link lets them set a password. Their role and API tokens stay. */
import { randomBytes } from "node:crypto";
import type { PoolClient } from "pg";
import type { Act } from "./act.ts";
import { accountKey } from "./attempt.ts";
import { hashCode, newCode } from "./setup.ts";
import type { PersonRow } from "./store.ts";

/** Whoever asked for it waits for it; a link that lies about longer only helps others. */
export const RESET_HOURS = 24;

/** `madeBy`: a person's id, or which program did it. In the caller's transaction, the person locked. */
export async function resetSignIn(
  tx: PoolClient,
  person: PersonRow,
  madeBy: string,
): Promise<{ code: string; act: Act }> {
  const factors = await tx.query("DELETE FROM person_two_factor WHERE person_id = $1", [person.id]);
  const accounts = await tx.query("DELETE FROM person_account WHERE person_id = $1", [person.id]);
  const sessions = await tx.query("DELETE FROM person_session WHERE person_id = $1", [person.id]);
  await tx.query("DELETE FROM person_verification WHERE value = $1", [person.id]); // a sign-in half done, a trusted browser
  await tx.query("DELETE FROM person_rate_limit WHERE key = $1 OR starts_with(key, $1 || '@')", [
    accountKey(person.email),
  ]);
  await tx.query("DELETE FROM person_invite WHERE person_id = $1 AND used_at IS NULL", [person.id]);
  await tx.query("UPDATE person SET two_factor_enabled = false, updated_at = now() WHERE id = $1", [person.id]);
  const code = newCode();
  const { rows } = await tx.query<{ expires_at: Date }>(
    `INSERT INTO person_invite (id, code_hash, email, role, made_by, person_id, expires_at)
     VALUES ($1, $2, $3, $4::role, $5, $6, now() + make_interval(hours => $7)) RETURNING expires_at`,
    [randomBytes(16).toString("hex"), hashCode(code), person.email, person.role, madeBy, person.id, RESET_HOURS],
  );
  const act: Act = {
    kind: "person.sign-in-reset",
    severity: "warning",
    text: `reset the sign-in of ${person.email}`,
    subject: person.id,
    before: {
      password: (accounts.rowCount ?? 0) > 0,
      twoFactor: (factors.rowCount ?? 0) > 0,
      sessions: sessions.rowCount ?? 0,
    },
    after: { password: false, twoFactor: false, sessions: 0, linkUntil: rows[0]!.expires_at.toISOString() },
  };
  return { code, act };
}
