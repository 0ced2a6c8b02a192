/** What needs people's signatures → rows that wait for them, in the transaction of whoever asks; and the end of such rows.
 *  The console has signed already; it cannot sign for anybody else. */
import { randomUUID } from "node:crypto";
import type { ProposalKind, ProposalState } from "@sallyport/shared/approval/proposal.ts";
import { STATEMENTS_MAX } from "@sallyport/shared/approval/proposal.ts";
import { approversOf, type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import type { PoolClient } from "pg";
import type { GroupSigners } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
import { Refusal } from "../trpc/errors.ts";

/** A week: long enough for people who are away for a few days, short enough that nothing lies in a drawer. */
export const PROPOSAL_HOURS = 7 * 24;

export type Proposing = {
  by: GroupSigners;
  kind: ProposalKind;
  /** One line for lists, without the asker's name; and why. */
  text: string;
  message: string;
  subject: string;
  statements: readonly SignedStatement[];
  /** What carrying it out needs beside the statements: JSON. */
  act: object;
  asker: string;
  now: Date;
  expires?: Date;
};

export type Waiting = { id: string; needed: number; approvers: number; expires: string };

/** Whether people must sign. @throws Refusal where more must than there are */
export function needsPeople({ name, signers, needed }: GroupSigners): boolean {
  if (needed > approversOf(signers.keys).length)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `In ${name} this needs ${signers.threshold} signatures; the console's key alone is not enough, and there are not enough approvers.`,
    );
  return needed > 0;
}

export async function propose(tx: PoolClient, asked: Proposing): Promise<Waiting> {
  const { by, statements, now } = asked;
  if (statements.length > STATEMENTS_MAX)
    throw new Refusal("PRECONDITION_FAILED", `That needs ${statements.length} statements; at most ${STATEMENTS_MAX}.`);
  const id = randomUUID();
  const expires = asked.expires ?? new Date(now.getTime() + PROPOSAL_HOURS * 3_600_000);
  const read = statements.map((signed) => Statement.parse(JSON.parse(signed.text)));
  const orderMax = Math.max(0, ...read.filter(({ type }) => type === "policy").map(({ order }) => order));
  await tx.query(
    `INSERT INTO proposal (id, group_id, kind, text, message, subject, act, order_max, asked_by, asked_at, expires)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      id,
      by.group,
      asked.kind,
      asked.text.slice(0, 900),
      asked.message.slice(0, 900),
      asked.subject,
      JSON.stringify(asked.act),
      orderMax || null,
      asked.asker,
      now,
      expires,
    ],
  );
  await tx.query(
    `INSERT INTO proposal_statement (proposal_id, at, workstation_id, type, "order", statement)
     SELECT $1, s.at - 1, s.workstation, s.type, s."order", s.statement
       FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::jsonb[]) WITH ORDINALITY
         AS s (workstation, type, "order", statement, at)`,
    [
      id,
      read.map(({ audience }) => ("workstation" in audience ? audience.workstation : null)),
      read.map(({ type }) => type),
      read.map(({ order }) => order),
      statements.map((each) => JSON.stringify(each)),
    ],
  );
  return { id, needed: by.needed, approvers: approversOf(by.signers.keys).length, expires: expires.toISOString() };
}

/** What is said on the trail of asking: nothing has happened but that. */
export const proposedAct = (text: string, subject: string, waiting: Waiting, after: object): Act => ({
  kind: "person.proposed",
  text: `asked for signatures: ${text}`.slice(0, 900),
  subject,
  after: { ...after, proposal: waiting.id, needed: waiting.needed, expires: waiting.expires } as Act["after"] & object,
});

/** It is over, however it ended: what was signed is forgotten, so that nobody finds it in the database later. */
export async function endProposal(
  tx: Pick<PoolClient, "query">,
  id: string,
  ended: { state: Exclude<ProposalState, "waiting">; reason: string | null; by: string | null },
): Promise<void> {
  await tx.query(
    `UPDATE proposal SET state = $2, reason = $3, ended_by = $4, ended_at = date_trunc('milliseconds', clock_timestamp())
      WHERE id = $1`,
    [id, ended.state, ended.reason, ended.by],
  );
  await tx.query("UPDATE proposal_statement SET statement = NULL WHERE proposal_id = $1", [id]);
  await tx.query("UPDATE proposal_signature SET signatures = NULL WHERE proposal_id = $1", [id]);
}

/** Another policy was put in its place before enough had signed. Answers what was ended. */
export async function supersedeProposals(
  tx: Pick<PoolClient, "query">,
  group: string,
  newer: { reason: string; by: string },
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM proposal WHERE group_id = $1 AND state = 'waiting' AND kind IN ('policy', 'rollout') FOR UPDATE`,
    [group],
  );
  for (const { id } of rows) await endProposal(tx, id, { state: "superseded", ...newer });
  return rows.map(({ id }) => id);
}

/** Whether a change of the group's approvers waits: nobody may come into it before that is settled. */
export async function isChanging(tx: Pick<PoolClient, "query">, group: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    "SELECT FROM proposal WHERE group_id = $1 AND state = 'waiting' AND kind = 'signers' AND expires > now() LIMIT 1",
    [group],
  );
  return rowCount === 1;
}
