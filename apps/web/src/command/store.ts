/** Commands ↔ Postgres: asked for and signed in the caller's transaction; listed. dispatch/commands.ts sends what the rows
 *  say, ingest/command.ts writes what the workstations answer. */
import { randomUUID } from "node:crypto";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Command, faultOfCommand } from "@sallyport/shared/command/command.ts";
import type { CommandState } from "@sallyport/shared/command/state.ts";
import { VERB_RULES, type Verb } from "@sallyport/shared/command/verb.ts";
import { Statement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { Pool, PoolClient } from "pg";
import { z } from "zod";
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

/** @throws Refusal where the group wants more signatures than the console's, or the arguments are none of the verb's */
export async function ask(tx: PoolClient, signer: Signer, asked: Asked): Promise<{ id: string }> {
  const { workstation, verb, now } = asked;
  const { rows } = await tx.query<{ name: string; state: string; threshold: number; group: string }>(
    `SELECT w.name, w.state, g.threshold, g.name AS "group" FROM workstation w JOIN "group" g ON g.id = w.group_id
      WHERE w.id = $1 FOR UPDATE OF w`,
    [workstation],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", "There is no such workstation.");
  if (row.name !== asked.name)
    throw new Refusal(
      "CONFLICT",
      `This workstation is called ${row.name} by now. Look again before you tell it anything.`,
    );
  if (row.state !== "enrolled") throw new Refusal("PRECONDITION_FAILED", `It is ${row.state} and takes no commands.`);
  if (row.threshold > 1 && VERB_RULES[verb].signers === "threshold")
    throw new Refusal(
      "PRECONDITION_FAILED",
      `In ${row.group} this needs ${row.threshold} signatures; the console's key alone is not enough.`,
    );
  const id = randomUUID();
  const notAfter = new Date(now.getTime() + asked.minutes * 60_000).toISOString();
  const command = Command.safeParse({ id, verb, arguments: asked.arguments, notAfter });
  if (!command.success) throw new Refusal("BAD_REQUEST", z.prettifyError(command.error));
  const order = await nextOrder(tx, workstation, now);
  const issued = now.toISOString();
  const about = { type: "command", audience: { workstation }, order, issued, notAfter } as const;
  const statement = signStatement(hash, [signer], about, command.data);
  const { digest, ...said } = Statement.parse(JSON.parse(statement.text));
  const fault = faultOfCommand({ ...said, digest }, command.data);
  if (fault) throw new Refusal("BAD_REQUEST", `The workstation would refuse this: ${fault.reason}.`);
  const state: CommandState = { state: "sent", at: issued };
  await tx.query(
    `INSERT INTO command (id, workstation_id, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                          not_after, standing, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'sent', $12)`,
    [
      id,
      workstation,
      order,
      verb,
      command.data.arguments,
      statement,
      digest,
      asked.by,
      now,
      asked.reason,
      notAfter,
      state,
    ],
  );
  await tx.query("SELECT pg_notify('command', $1)", [workstation]);
  return { id };
}

/** Never below the clock's seconds: a console that was restored must not give an order number again. */
async function nextOrder(tx: PoolClient, workstation: string, now: Date): Promise<number> {
  const { rows } = await tx.query<{ newest: string }>(
    'SELECT coalesce(max("order"), 0) AS newest FROM command WHERE workstation_id = $1',
    [workstation],
  );
  return Math.max(Number(rows[0]!.newest) + 1, Math.floor(now.getTime() / 1000));
}

export type Listed = {
  id: string;
  verb: Verb;
  arguments: Command["arguments"];
  /** Who asked for it: their address, or the id of one who is gone. */
  by: string;
  askedAt: string;
  notAfter: string;
  reason: string;
  state: CommandState;
};
export const LISTED_MAX = 50;

/** The newest first. */
export async function listCommands(pool: Pool, workstation: string): Promise<Listed[]> {
  const { rows } = await pool.query<Listed & { askedAt: Date; notAfter: Date }>(
    `SELECT c.id, verb, arguments, coalesce(email, asked_by) AS by, asked_at AS "askedAt", not_after AS "notAfter", reason,
            state
       FROM command c LEFT JOIN person ON person.id = asked_by
      WHERE workstation_id = $1 ORDER BY "order" DESC LIMIT ${LISTED_MAX}`,
    [workstation],
  );
  return rows.map((row) => ({ ...row, askedAt: row.askedAt.toISOString(), notAfter: row.notAfter.toISOString() }));
}
