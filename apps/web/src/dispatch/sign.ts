/** The statements that the console's key makes within a caller's transaction. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, KeyId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import {
  type Membership,
  type SignedStatement,
  type Signers,
  signStatement,
} from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { ClientBase } from "pg";
import { hash } from "../trail/crypto.ts";

type KeyRow = { id: KeyId; publicKey: string; role: "console" | "approver" };

/** Signs which group a workstation is in, with the next order, and stores it. Undefined where there is no such group or
 *  its signers cannot be read. */
export async function signMembership(
  tx: ClientBase,
  signer: Signer,
  workstation: WorkstationId,
  group: GroupId,
  now: Date,
): Promise<SignedStatement | undefined> {
  const found = await tx.query<{ name: string; threshold: number }>(
    'SELECT name, threshold FROM "group" WHERE id = $1',
    [group],
  );
  const { rows: keys } = await tx.query<KeyRow>(
    'SELECT key_id AS id, public_key AS "publicKey", role FROM group_key WHERE group_id = $1 ORDER BY key_id',
    [group],
  );
  const row = found.rows[0];
  if (!row || !keys.some(({ publicKey }) => fromBase64(publicKey).every((byte, at) => byte === signer.publicKey[at])))
    return undefined;
  const signers: Signers = { threshold: row.threshold, keys };
  const membership: Membership = { workstation, group, groupName: row.name, signers };
  const { rows } = await tx.query<{ order: number }>(
    `SELECT coalesce(max("order"), 0) + 1 AS "order" FROM workstation_statement WHERE workstation_id = $1 AND type = 'membership'`,
    [workstation],
  );
  const order = rows[0]!.order;
  const statement = signStatement(
    hash,
    [signer],
    { type: "membership", audience: { workstation }, order, issued: now.toISOString() },
    membership,
  );
  await tx.query(
    `INSERT INTO workstation_statement (workstation_id, type, "order", statement) VALUES ($1, 'membership', $2, $3)`,
    [workstation, order, JSON.stringify(statement)],
  );
  return statement;
}
