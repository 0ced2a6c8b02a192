/** A command is asked for in the caller's transaction: signed and sent at once where the console's key is enough, put
 *  before people where they must sign. dispatch/commands.ts sends what the rows say. */

import { randomUUID } from "node:crypto";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { issuesWords } from "@sallyport/shared/base/issue.ts";
import { Command, faultOfCommand } from "@sallyport/shared/command/command.ts";
import type { CommandState } from "@sallyport/shared/command/state.ts";
import { VERB_RULES, VERBS, type Verb } from "@sallyport/shared/command/verb.ts";
import { type SignedStatement, Statement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { z } from "zod";
import type { Carrying } from "../approval/carrying.ts";
import { needsPeople, propose, proposedAct, type Waiting } from "../approval/propose.ts";
import { readSigners } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
import { hash } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";

export type Asked = {
  workstation: WorkstationId;
  /** What the person saw: another one by now is a conflict, so that nobody cuts off what they did not mean. */
  name: string;
  verb: Verb;
  arguments: unknown;
  minutes: number;
  reason: string;
  by: string;
  now: Date;
};

const Prepared = z.object({
  id: z.string(),
  name: z.string(),
  reason: z.string(),
  by: z.string(),
  at: z.string(),
});
type Prepared = z.infer<typeof Prepared>;

export type Told = { id: string; waiting?: Waiting };

/** @throws Refusal where the arguments are none of the verb's */
export async function ask(tx: PoolClient, signer: Signer, asked: Asked): Promise<Told> {
  const { workstation, verb, now } = asked;
  const { name, group } = await lockEnrolled(tx, workstation);
  if (name !== asked.name)
    throw new Refusal("CONFLICT", `This workstation is called ${name} by now. Look again before you tell it anything.`);
  const by = (await readSigners(tx, group))!;
  const waits = VERB_RULES[verb].signers === "threshold" && needsPeople(by);
  const id = randomUUID();
  const notAfter = new Date(now.getTime() + asked.minutes * 60_000).toISOString();
  const command = Command.safeParse({ id, verb, arguments: asked.arguments, notAfter });
  if (!command.success) throw new Refusal("BAD_REQUEST", issuesWords(command.error));
  const order = await nextOrder(tx, workstation, now);
  const issued = now.toISOString();
  const about = { type: "command", audience: { workstation }, order, issued, notAfter } as const;
  const statement = signStatement(hash, [signer], about, command.data);
  const { digest, ...said } = Statement.parse(JSON.parse(statement.text));
  const fault = faultOfCommand({ ...said, digest }, command.data);
  if (fault) throw new Refusal("BAD_REQUEST", `The workstation would refuse this: ${fault.reason}.`);
  const prepared: Prepared = { id, name, reason: asked.reason, by: asked.by, at: issued };
  if (!waits) {
    await put(tx, prepared, statement);
    return { id };
  }
  const waiting = await propose(tx, {
    ...{ by, kind: "command", statements: [statement], act: prepared, asker: asked.by, now },
    ...{ text: `tell ${name} to ${verb}`, message: asked.reason, subject: `workstation/${workstation}` },
    expires: new Date(notAfter),
  });
  return { id, waiting };
}

async function lockEnrolled(tx: PoolClient, workstation: string): Promise<{ name: string; group: string }> {
  const { rows } = await tx.query<{ name: string; state: string; group: string }>(
    'SELECT name, state, group_id AS "group" FROM workstation WHERE id = $1 FOR UPDATE',
    [workstation],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", "There is no such workstation.");
  if (row.state !== "enrolled") throw new Refusal("PRECONDITION_FAILED", `It is ${row.state} and takes no commands.`);
  return row;
}

async function put(tx: PoolClient, prepared: Prepared, signed: SignedStatement): Promise<Command> {
  const { audience, order, digest, notAfter } = Statement.parse(JSON.parse(signed.text));
  const command = Command.parse(JSON.parse(signed.carried));
  const { workstation } = audience as { workstation: WorkstationId };
  const state: CommandState = { state: "sent", at: new Date(prepared.at).toISOString() };
  await tx.query(
    `INSERT INTO command (id, workstation_id, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                          not_after, standing, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'sent', $12)`,
    [
      command.id,
      workstation,
      order,
      command.verb,
      command.arguments,
      signed,
      digest,
      prepared.by,
      prepared.at,
      prepared.reason,
      notAfter,
      state,
    ],
  );
  await tx.query("SELECT pg_notify('command', $1)", [workstation]);
  return command;
}

/** Enough people have signed it. @throws Refusal where it would be refused by the workstation */
export async function askSigned(tx: PoolClient, { act, statements, now }: Carrying): Promise<Act> {
  const prepared = Prepared.parse(act);
  const statement = statements[0]!;
  const { audience, order } = Statement.parse(JSON.parse(statement.text));
  const { workstation } = audience as { workstation: WorkstationId };
  await lockEnrolled(tx, workstation);
  // what the console alone sent meanwhile is counted apart
  const { rowCount } = await tx.query(
    'SELECT FROM command WHERE workstation_id = $1 AND "order" >= $2 AND verb <> ALL($3::text[]) LIMIT 1',
    [workstation, order, VERBS.filter((verb) => VERB_RULES[verb].signers === "console")],
  );
  if (rowCount !== 0)
    throw new Refusal("CONFLICT", "It was told something with a higher order since: ask for this again.");
  const command = await put(tx, { ...prepared, at: now.toISOString() }, statement);
  return toldAct({ ...prepared, ...command, workstation, minutes: undefined }, { id: command.id });
}

export function toldAct(
  asked: Pick<Asked, "workstation" | "name" | "verb" | "reason"> & { arguments: unknown; minutes?: number | undefined },
  { id, waiting }: Told,
): Act {
  const { workstation, name, verb, reason, minutes } = asked;
  const subject = `workstation/${workstation}`;
  const after = {
    ...{ command: id, verb, arguments: asked.arguments as Record<string, string> },
    ...(minutes !== undefined && { minutes }),
    reason,
  };
  if (waiting) return proposedAct(`tell ${name} to ${verb}: ${reason}`, subject, waiting, after);
  const severity = VERB_RULES[verb].isDestructive ? "warning" : "notice";
  return { kind: "person.command-sent", severity, text: `told ${name} to ${verb}: ${reason}`, subject, after };
}

/** Above all that was sent or put before people, and never below the clock's seconds: a console that was restored must not
 *  give an order number again. */
async function nextOrder(tx: PoolClient, workstation: string, now: Date): Promise<number> {
  const { rows } = await tx.query<{ newest: string }>(
    `SELECT greatest((SELECT max("order") FROM command WHERE workstation_id = $1),
                     (SELECT max("order") FROM proposal_statement WHERE workstation_id = $1 AND type = 'command'), 0)
         AS newest`,
    [workstation],
  );
  return Math.max(Number(rows[0]!.newest) + 1, Math.floor(now.getTime() / 1000));
}
