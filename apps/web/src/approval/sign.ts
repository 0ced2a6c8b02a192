/** An approver's signatures come in: verified, kept, and with the last of them what was waited for is done, all in one
 *  transaction with its records. Nobody's word counts here but a signature. */
import type { ProposalKind, ProposalState, Signed, Signing } from "@sallyport/shared/approval/proposal.ts";
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import { approversOf, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { isSignedBy, keyId, type Signature } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { readSigners } from "../dispatch/sign.ts";
import { type Act, actRecord, type By, type RecordConsole } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import { hash, verify } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";
import { CARRY_OUT } from "./carry-out.ts";
import { endProposal } from "./propose.ts";

type Row = {
  id: string;
  kind: ProposalKind;
  group_id: string;
  text: string;
  subject: string;
  act: unknown;
  state: ProposalState;
  asked_by: string;
  expires: Date;
};

/** Locked until the transaction ends. @throws Refusal where it does not wait any more */
export async function lockWaiting(tx: PoolClient, id: string, now: Date): Promise<Row> {
  const { rows } = await tx.query<Row>(
    `SELECT id, kind, group_id, text, subject, act, state, asked_by, expires FROM proposal WHERE id = $1 FOR UPDATE`,
    [id],
  );
  const [row] = rows;
  if (!row) throw new Refusal("NOT_FOUND", "There is nothing of this id that waits for signatures.");
  if (row.state !== "waiting") throw new Refusal("CONFLICT", `This waits no more: it is ${row.state}.`);
  if (row.expires.getTime() <= now.getTime())
    throw new Refusal("CONFLICT", `This waited until ${row.expires.toISOString()}, and is over.`);
  return row;
}

export type Taken = { act: Act; value: Signed };

/** @throws Refusal where the key is none of the group's, or a signature is not by it */
export async function takeSigning(
  tx: PoolClient,
  recordConsole: RecordConsole,
  by: By,
  origin: Origin,
  signing: Signing,
  now: Date,
): Promise<Taken> {
  const row = await lockWaiting(tx, signing.proposal, now);
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR NO KEY UPDATE', [row.group_id]);
  const group = (await readSigners(tx, row.group_id))!;
  const people = approversOf(group.signers.keys);
  const id = keyId(hash, fromBase64(signing.key));
  if (!people.includes(signing.key))
    throw new Refusal("FORBIDDEN", `The key ${id} is none of ${group.name}'s approvers.`);
  const statements = await loadStatements(tx, row.id);
  checkSignatures(statements, signing, id);
  const { rowCount } = await tx.query(
    `INSERT INTO proposal_signature (proposal_id, public_key, key_id, signatures, signed_at, sent_by, address)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [row.id, signing.key, id, JSON.stringify(signing.signatures), now, by.id, origin.address ?? null],
  );
  if (rowCount !== 1) throw new Refusal("CONFLICT", `The key ${id} has signed this already.`);
  const signed = (await loadSignatures(tx, row.id)).filter(({ publicKey }) => people.includes(publicKey));
  const missing = Math.max(0, group.needed - signed.length);
  const name = group.names[signing.key] || id;
  const after = { proposal: row.id, key: id, publicKey: signing.key, missing };
  const act: Act = {
    kind: "person.proposal-signed",
    text: `handed in ${name}'s signature: ${row.text}; ${missing === 0 ? "enough have signed" : `${missing} more must sign`}`.slice(
      0,
      900,
    ),
    subject: row.subject,
    after,
  };
  if (missing > 0) return { act, value: { state: "waiting", missing, reason: null } };
  const whole = statements.map((statement, at) => ({
    ...statement,
    signatures: [...statement.signatures, ...signed.map(({ signatures }) => signatures[at]!)],
  }));
  const done = await tryTo(tx, row, whole, now);
  // the signature first: what it made possible stands after it on the trail
  await recordConsole(tx, actRecord(by, origin, act));
  const keys = signed.map(({ keyId }) => keyId);
  if (typeof done === "string") {
    await endProposal(tx, row.id, { state: "failed", reason: done, by: by.id });
    const text = `had enough signatures for this, and it cannot be done any more: ${row.text}: ${done}`;
    const said = { proposal: row.id, signedBy: keys, reason: done };
    return {
      act: {
        kind: "person.proposal-failed",
        severity: "warning",
        text: text.slice(0, 900),
        subject: row.subject,
        after: said,
      },
      value: { state: "failed", missing: 0, reason: done },
    };
  }
  await endProposal(tx, row.id, { state: "done", reason: null, by: by.id });
  const after_ = done.after as Record<string, never>;
  return {
    act: { ...done, after: { ...after_, proposal: row.id, askedBy: row.asked_by, signedBy: keys } },
    value: { state: "done", missing: 0, reason: null },
  };
}

/** What is refused is undone to where it began; any other failure ends the whole transaction. */
async function tryTo(tx: PoolClient, row: Row, statements: SignedStatement[], now: Date): Promise<Act | string> {
  await tx.query("SAVEPOINT carry");
  try {
    const act = await CARRY_OUT[row.kind](tx, { act: row.act, statements, now });
    await tx.query("RELEASE SAVEPOINT carry");
    return act;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    await tx.query("ROLLBACK TO SAVEPOINT carry");
    return error.message;
  }
}

function checkSignatures(statements: readonly SignedStatement[], signing: Signing, id: string): void {
  if (signing.signatures.length !== statements.length)
    throw new Refusal(
      "BAD_REQUEST",
      `There are ${statements.length} statements, and ${signing.signatures.length} signatures: fetch it again.`,
    );
  const key = fromBase64(signing.key);
  const wrong = statements.findIndex(
    ({ text }, at) =>
      !isSignedBy(verify, key, "sallyport/statement/1", { text, signatures: [signing.signatures[at]!] }),
  );
  if (wrong >= 0)
    throw new Refusal(
      "BAD_REQUEST",
      `Signature ${wrong + 1} is not by the key ${id} over what waits here: fetch it again.`,
    );
}

export async function loadStatements(tx: Pick<PoolClient, "query">, id: string): Promise<SignedStatement[]> {
  const { rows } = await tx.query<{ statement: unknown }>(
    "SELECT statement FROM proposal_statement WHERE proposal_id = $1 AND statement IS NOT NULL ORDER BY at",
    [id],
  );
  return rows.map(({ statement }) => SignedStatement.parse(statement));
}

type Kept = { publicKey: string; keyId: string; signatures: Signature[] };

async function loadSignatures(tx: PoolClient, id: string): Promise<Kept[]> {
  const { rows } = await tx.query<Kept>(
    `SELECT public_key AS "publicKey", key_id AS "keyId", signatures FROM proposal_signature
      WHERE proposal_id = $1 ORDER BY signed_at, public_key`,
    [id],
  );
  return rows;
}
