/** Commands ↔ Postgres, listed. ask.ts makes them, ingest/command.ts writes what the workstations answer. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
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
const PAGE_ROWS_MAX = 50;

/** The newest first. `next` is the order that the next page lies below. */
export async function listCommands(
  pool: Pool,
  workstation: string,
  below?: number,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: Listed[]; next: number | null }> {
  const { rows } = await pool.query<Listed & { askedAt: Date; notAfter: Date; order: string }>(
    `SELECT c.id, "order", verb, arguments, coalesce(email, asked_by) AS by, asked_at AS "askedAt", not_after AS "notAfter", reason,
            state
       FROM command c LEFT JOIN person ON person.id = asked_by
      WHERE workstation_id = $1 AND ($2::bigint IS NULL OR "order" < $2) ORDER BY "order" DESC LIMIT $3`,
    [workstation, below ?? null, limit + 1],
  );
  const page = rows.slice(0, limit).map(({ order: _, ...row }) => ({
    ...row,
    askedAt: row.askedAt.toISOString(),
    notAfter: row.notAfter.toISOString(),
  }));
  return { rows: page, next: rows.length > limit ? Number(rows[limit - 1]!.order) : null };
}

export type Target = { id: WorkstationId; name: string };

/** Enrolled ones, each once, by name; `missing` are names that are no workstation's, or more than one's. */
export async function findTargets(
  pool: Pool,
  { workstations, labels, groups }: { workstations: string[]; labels: string[]; groups: string[] },
): Promise<{ targets: Target[]; missing: string[] }> {
  const { rows } = await pool.query<Target & { named: string[] }>(
    `SELECT w.id, w.name, ARRAY(SELECT n FROM unnest($1::text[]) n WHERE n IN (w.id::text, w.name, w.hostname)) AS named
       FROM workstation w JOIN "group" g ON g.id = w.group_id
      WHERE w.state = 'enrolled' AND (w.id::text = ANY($1) OR w.name = ANY($1) OR w.hostname = ANY($1)
            OR w.labels && $2::text[] OR g.id::text = ANY($3) OR g.name = ANY($3))
      ORDER BY w.name, w.id`,
    [workstations, labels, groups],
  );
  const missing = workstations.filter((name) => rows.filter(({ named }) => named.includes(name)).length !== 1);
  return { targets: rows.map(({ id, name }) => ({ id, name })), missing };
}

export type Stands = { id: string; workstation: string; name: string; verb: Verb; state: CommandState };

/** In the order of their workstations' names; one that waits for people is not among them. */
export async function statesOf(pool: Pool, ids: readonly string[]): Promise<Stands[]> {
  const { rows } = await pool.query<Stands>(
    `SELECT c.id, c.workstation_id AS workstation, w.name, c.verb, c.state FROM command c
       JOIN workstation w ON w.id = c.workstation_id WHERE c.id = ANY($1::uuid[]) ORDER BY w.name, c."order"`,
    [ids],
  );
  return rows;
}
