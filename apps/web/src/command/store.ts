/** Commands ↔ Postgres, listed. ask.ts makes them, ingest/command.ts writes what the workstations answer. */
import type { Command } from "@sallyport/shared/command/command.ts";
import type { CommandState } from "@sallyport/shared/command/state.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import type { Pool } from "pg";

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
