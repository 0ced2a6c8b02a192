/** People, invitations and sessions ↔ Postgres. */
import { randomBytes } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";
import type { Invite, Join } from "./invite.ts";
import { mayManage, ROLES, type Role } from "./role.ts";
import { hashCode, hasOwner, newCode } from "./setup.ts";

const INVITE_DAYS = 7;

const newId = () => randomBytes(16).toString("hex");

/** `resets`: of somebody who has an account already. */
export type InviteFound = { email: string | null; name: string | null; role: Role; resets: boolean };

export async function findInvite(db: Pool | PoolClient, code: string): Promise<InviteFound | undefined> {
  const { rows } = await db.query<InviteFound>(
    `SELECT i.email, coalesce(i.name, p.name) AS name, i.role::text, i.person_id IS NOT NULL AS resets
       FROM person_invite i LEFT JOIN person p ON p.id = i.person_id
      WHERE i.code_hash = $1 AND i.used_at IS NULL AND i.expires_at > now() AND ${IS_MAKERS_STILL("$2")}`,
    [hashCode(code), MANAGES],
  );
  return rows[0];
}

/** Who may make whom, as `IS_MAKERS_STILL` takes it: `admin viewer`. */
export const MANAGES = ROLES.flatMap((actor) =>
  ROLES.filter((subject) => mayManage(actor, subject)).map((subject) => `${actor} ${subject}`),
);

/** Of an invitation `i`, in SQL: what somebody may make is judged at use as well, as a request that began before they lost
 *  their role may have made a link since. What a program made stays. */
export const IS_MAKERS_STILL = (manages: `$${number}`): string =>
  `NOT EXISTS (SELECT FROM person maker WHERE maker.id = i.made_by AND (maker.disabled_at IS NOT NULL
                 OR NOT maker.role::text || ' ' || i.role::text = ANY (${manages}::text[])))`;

const NO_INVITE = "This link does not work (any more): it was used, it ran out, or a newer one was made.";

/** Uses the invitation up and makes the person, or gives the one who is there a password; in the caller's transaction. */
export async function join(
  tx: PoolClient,
  asked: Join,
  passwordHash: string,
): Promise<{ id: string; role: Role; email: string; resets: boolean }> {
  type Used = Omit<InviteFound, "resets"> & { made_by: string | null; person_id: string | null };
  const { rows } = await tx.query<Used>(
    `UPDATE person_invite i SET used_at = now()
      WHERE i.code_hash = $1 AND i.used_at IS NULL AND i.expires_at > now() AND ${IS_MAKERS_STILL("$2")}
     RETURNING i.email, i.name, i.role::text, i.made_by, i.person_id`,
    [hashCode(asked.code), MANAGES],
  );
  const invite = rows[0];
  if (!invite) throw new Refusal("NOT_FOUND", NO_INVITE);
  if (invite.person_id !== null) {
    const { id, role, email } = await lockPerson(tx, invite.person_id);
    if (role !== invite.role) throw new Refusal("NOT_FOUND", NO_INVITE); // whoever made it may not manage them any more
    await setPassword(tx, id, passwordHash);
    return { id, role, email, resets: true };
  }
  if (invite.made_by === null) {
    await tx.query("LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE"); // two first owners at once: the second waits, and is refused
    if (await hasOwner(tx))
      throw new Refusal("CONFLICT", "This console has an owner already. Ask them for an invitation.");
  }
  const id = newId();
  const email = invite.email ?? asked.email;
  await tx.query("INSERT INTO person (id, name, email, email_verified, role) VALUES ($1, $2, $3, true, $4::role)", [
    id,
    invite.name ?? asked.name,
    email,
    invite.role,
  ]);
  await setPassword(tx, id, passwordHash);
  return { id, role: invite.role, email, resets: false };
}

const setPassword = (tx: PoolClient, person: string, passwordHash: string) =>
  tx.query(
    `INSERT INTO person_account (id, person_id, account_id, provider_id, password) VALUES ($1, $2, $2, 'credential', $3)
     ON CONFLICT (provider_id, account_id) DO UPDATE SET password = excluded.password, updated_at = now()`,
    [newId(), person, passwordHash],
  );

/** Answers as well the roles of the invitations that it takes the place of and that had not run out. */
export async function makeInvite(
  tx: PoolClient,
  invite: Invite,
  madeBy: string,
): Promise<{ code: string; instead: Role[] }> {
  const taken = await tx.query("SELECT 1 FROM person WHERE email = $1", [invite.email]);
  if (taken.rows.length > 0) throw new Refusal("CONFLICT", `${invite.email} has an account here already.`);
  const { rows: instead } = await tx.query<{ role: Role }>(
    `WITH gone AS (DELETE FROM person_invite WHERE email = $1 AND used_at IS NULL RETURNING role, expires_at)
     SELECT role::text FROM gone WHERE expires_at > now()`,
    [invite.email],
  );
  const code = newCode();
  await tx.query(
    `INSERT INTO person_invite (id, code_hash, email, name, role, made_by, expires_at)
     VALUES ($1, $2, $3, $4, $5::role, $6, now() + make_interval(days => $7))`,
    [newId(), hashCode(code), invite.email, invite.name, invite.role, madeBy, INVITE_DAYS],
  );
  return { code, instead: instead.map(({ role }) => role) };
}

/** Links that somebody made, of roles that they may not manage any more, lead nowhere; answers how many. */
async function dropLinks(tx: PoolClient, madeBy: string, roles: readonly Role[]): Promise<number> {
  const { rowCount } = await tx.query(
    "DELETE FROM person_invite WHERE made_by = $1 AND used_at IS NULL AND role::text = ANY($2::text[])",
    [madeBy, roles],
  );
  return rowCount ?? 0;
}

export type PersonRow = { id: string; email: string; role: Role; disabled: boolean };

export async function findPerson(pool: Pool, email: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string }>("SELECT id FROM person WHERE email = $1", [email.toLowerCase()]);
  return rows[0]?.id;
}

/** The person, locked until the transaction ends. */
export async function lockPerson(tx: PoolClient, id: string): Promise<PersonRow> {
  const { rows } = await tx.query<PersonRow>(
    "SELECT id, email, role::text, disabled_at IS NOT NULL AS disabled FROM person WHERE id = $1 FOR UPDATE",
    [id],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is no such person.");
  return rows[0];
}

/** Answers how many links lead nowhere from now on. */
export async function setRole(tx: PoolClient, id: string, role: Role): Promise<number> {
  await tx.query("UPDATE person SET role = $2::role, updated_at = now() WHERE id = $1", [id, role]);
  await keepOneOwner(tx);
  return dropLinks(
    tx,
    id,
    ROLES.filter((each) => !mayManage(role, each)),
  );
}

/** Switching off ends every session at once. Answers how many links lead nowhere from now on. */
export async function setDisabled(tx: PoolClient, id: string, disabled: boolean): Promise<number> {
  await tx.query("UPDATE person SET disabled_at = CASE WHEN $2 THEN now() END, updated_at = now() WHERE id = $1", [
    id,
    disabled,
  ]);
  if (disabled) await tx.query("DELETE FROM person_session WHERE person_id = $1", [id]);
  await keepOneOwner(tx);
  return disabled ? dropLinks(tx, id, ROLES) : 0;
}

async function keepOneOwner(tx: PoolClient): Promise<void> {
  await tx.query("SELECT id FROM person WHERE role = 'owner' FOR UPDATE");
  if (!(await hasOwner(tx))) throw new Refusal("CONFLICT", "This would leave the console without an owner.");
}

export async function dropInvite(tx: PoolClient, id: string): Promise<{ email: string; role: Role }> {
  const { rows } = await tx.query<{ email: string; role: Role }>(
    "DELETE FROM person_invite WHERE id = $1 AND used_at IS NULL RETURNING email, role::text",
    [id],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", "That invitation is gone already.");
  return rows[0];
}
