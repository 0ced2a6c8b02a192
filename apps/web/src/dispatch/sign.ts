/** Who may sign for a group, and the statements that the console's key makes within a caller's transaction. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, KeyId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import {
  approversNeeded,
  approversOf,
  type Membership,
  type SignedStatement,
  type Signers,
  type StatementType,
  signStatement,
} from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { ClientBase } from "pg";
import { hash } from "../trail/crypto.ts";

type KeyRow = { id: KeyId; publicKey: string; role: "console" | "approver"; name: string | null };

export type GroupSigners = {
  group: string;
  name: string;
  signers: Signers;
  /** What its approvers are called, by public key. */
  names: Record<string, string>;
  /** People who must sign beside the console; 0 where its key alone decides. */
  needed: number;
};

/** Undefined where there is no such group. */
export async function readSigners(tx: Pick<ClientBase, "query">, group: string): Promise<GroupSigners | undefined> {
  const found = await tx.query<{ name: string; threshold: number }>(
    'SELECT name, threshold FROM "group" WHERE id = $1',
    [group],
  );
  const row = found.rows[0];
  if (!row) return undefined;
  const { rows } = await tx.query<KeyRow>(
    'SELECT key_id AS id, public_key AS "publicKey", role, name FROM group_key WHERE group_id = $1 ORDER BY key_id',
    [group],
  );
  const signers: Signers = {
    threshold: row.threshold,
    keys: rows.map(({ name: _, ...key }) => key),
  };
  const people = new Set(approversOf(signers.keys));
  const names = Object.fromEntries(
    rows.flatMap(({ publicKey, name }) => (people.has(publicKey) ? [[publicKey, name ?? ""]] : [])),
  );
  return { group, name: row.name, signers, names, needed: Math.max(0, approversNeeded(signers)) };
}

/** For each, above every order that was signed for it, those included that people were asked to sign and did not, and never
 *  below the clock's seconds: a console that was restored does not know what it gave since its backup. */
export async function nextOrders(
  tx: Pick<ClientBase, "query">,
  workstations: readonly WorkstationId[],
  type: StatementType,
): Promise<number[]> {
  const { rows } = await tx.query<{ order: string }>(
    `SELECT greatest((SELECT max("order") FROM workstation_statement WHERE workstation_id = w.id AND type = $2),
                     (SELECT max("order") FROM proposal_statement WHERE workstation_id = w.id AND type = $2),
                     extract(epoch FROM now())::int - 1) + 1 AS "order"
       FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, at) ORDER BY w.at`,
    [workstations, type],
  );
  return rows.map(({ order }) => Number(order));
}

export const nextOrder = async (
  tx: Pick<ClientBase, "query">,
  workstation: WorkstationId,
  type: StatementType,
): Promise<number> => (await nextOrders(tx, [workstation], type))[0]!;

/** Says of each workstation which group it is in and who signs there, with its next order. `signers` are the group's own
 *  unless they are about to change. Undefined where there is no such group or this console's key is none of its signers. */
export async function draftMemberships(
  tx: ClientBase,
  signer: Signer,
  workstations: readonly WorkstationId[],
  group: GroupId,
  now: Date,
  signers?: Signers,
): Promise<SignedStatement[] | undefined> {
  const found = await readSigners(tx, group);
  const own = ({ publicKey }: { publicKey: string }) =>
    fromBase64(publicKey).every((byte, at) => byte === signer.publicKey[at]);
  if (!found?.signers.keys.some(own)) return undefined;
  const orders = await nextOrders(tx, workstations, "membership");
  return workstations.map((workstation, at) => {
    const membership: Membership = { workstation, group, groupName: found.name, signers: signers ?? found.signers };
    const head = { type: "membership" as const, audience: { workstation }, order: orders[at]! };
    return signStatement(hash, [signer], { ...head, issued: now.toISOString() }, membership);
  });
}

export const draftMembership = async (
  tx: ClientBase,
  signer: Signer,
  workstation: WorkstationId,
  group: GroupId,
  now: Date,
): Promise<SignedStatement | undefined> => (await draftMemberships(tx, signer, [workstation], group, now))?.[0];

/** Stores statements that are each for one workstation; dispatch sends what the rows say. */
export async function putStatements(
  tx: Pick<ClientBase, "query">,
  all: readonly { workstation: string; statement: SignedStatement }[],
): Promise<void> {
  const heads = all.map(({ statement }) => JSON.parse(statement.text) as { type: string; order: number });
  await tx.query(
    `INSERT INTO workstation_statement (workstation_id, type, "order", statement)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::jsonb[])`,
    [
      all.map(({ workstation }) => workstation),
      heads.map(({ type }) => type),
      heads.map(({ order }) => order),
      all.map(({ statement }) => JSON.stringify(statement)),
    ],
  );
}

export const putStatement = (
  tx: Pick<ClientBase, "query">,
  workstation: string,
  statement: SignedStatement,
): Promise<void> => putStatements(tx, [{ workstation, statement }]);

/** Signs which group a workstation is in, and stores it: at enrolment, and where nobody but the console must sign. */
export async function signMembership(
  tx: ClientBase,
  signer: Signer,
  workstation: WorkstationId,
  group: GroupId,
  now: Date,
): Promise<SignedStatement | undefined> {
  const statement = await draftMembership(tx, signer, workstation, group, now);
  if (statement) await putStatement(tx, workstation, statement);
  return statement;
}
