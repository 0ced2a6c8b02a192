/** A policy becomes what a group, or those a rollout tells, should have: signed and stored in the caller's transaction.
 *  Publishing and rollouts share it; dispatch sends what the rows say. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, PolicyDigest, Sha256 } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { hash } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";
import { type GroupSigners, readSigners } from "./sign.ts";

export type Standing = {
  name: string;
  /** Who signs for it, and how many people must. */
  by: GroupSigners;
  /** What the whole group should have. */
  whole: { order: number; digest: PolicyDigest; statement: unknown } | undefined;
  /** The newest there is, also one that a rollout holds back from some; 0 before the first. */
  newest: number;
  /** Above every order that was ever signed for the group, those kept for an abort and those that people were asked to
   *  sign included. */
  next: number;
};

/** More than are published between a backup and its loss: a restored console goes on above what workstations took since. */
const LOST_MAX = 1_000;

/** The group, locked until the transaction ends. `basedOn` is the newest order that the person looked at. */
export async function lockGroup(tx: PoolClient, group: string, basedOn: number | undefined): Promise<Standing> {
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR NO KEY UPDATE', [group]);
  const by = await readSigners(tx, group);
  if (!by) throw new Refusal("NOT_FOUND", "There is no such group.");
  const whole = await tx.query<NonNullable<Standing["whole"]>>(
    'SELECT "order", digest, statement FROM wanted(NULL, $1)',
    [group],
  );
  const { rows } = await tx.query<{ newest: number; next: number }>(
    `SELECT p.newest, greatest(p.newest, (SELECT max(fallback_order) FROM rollout WHERE group_id = $1), o.newest) + 1
              + CASE WHEN s.restored_at > greatest(p.at, o.at, g.created_at) THEN $2::int ELSE 0 END AS next
       FROM "group" g
       CROSS JOIN (SELECT coalesce(max("order"), 0) AS newest, max(published_at) AS at
                     FROM publication WHERE group_id = $1) p
       CROSS JOIN (SELECT max(order_max) AS newest, max(asked_at) AS at FROM proposal WHERE group_id = $1) o
       LEFT JOIN console_state s ON true
      WHERE g.id = $1`,
    [group, LOST_MAX],
  );
  const { newest, next } = rows[0]!;
  if (basedOn !== undefined && basedOn !== newest)
    throw new Refusal(
      "CONFLICT",
      `Revision ${newest} was published while you wrote. Look at it first; your text is still here.`,
    );
  return { name: by.name, by, whole: whole.rows[0], newest, next };
}

export type Ordered = { group: string; order: number; digest: PolicyDigest; policy: unknown; now: Date };

/** `fallback` names in advance the revision that an abort may return to. */
export const signPolicy = (
  key: Signer,
  { group, order, digest, policy, now }: Ordered,
  fallback?: string,
): SignedStatement =>
  signStatement(
    hash,
    [key],
    {
      type: "policy",
      audience: { group: group as GroupId },
      order,
      issued: now.toISOString(),
      ...(fallback !== undefined && { fallback: fallback as Sha256 }),
    },
    { group, digest, policy },
  );

export type Written = { source: string; message: string; author: string; parent: string | undefined };

export async function putPublication(
  tx: PoolClient,
  ordered: Ordered,
  statement: SignedStatement,
  { source, message, author, parent }: Written,
): Promise<void> {
  const { group, order, digest, policy } = ordered;
  await tx.query(
    `INSERT INTO revision (digest, canonical, source, author, message, parent) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (digest) DO NOTHING`,
    [digest, canonicalText(policy), source, author, message, parent ?? null],
  );
  await tx.query(
    `INSERT INTO publication (group_id, "order", digest, statement, published_by, message, source)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [group, order, digest, JSON.stringify(statement), author, message, source],
  );
  await tx.query("SELECT pg_notify('publication', $1)", [group]);
}
