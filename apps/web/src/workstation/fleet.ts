/** The whole fleet in a few numbers ↔ Postgres. */
import type { Pool } from "pg";
import { ISOLATION, JOINS, POLICY, STATUS } from "./judged.ts";
import type { IsolationKey, PolicyWord, StatusWord } from "./status.ts";
import { type Raw, SELECT, toRow, type WorkstationRow } from "./store.ts";

const NEEDY_MAX = 8;

export type Fleet = {
  workstations: number;
  status: { word: StatusWord; count: number }[];
  isolation: { word: IsolationKey; count: number }[];
  policy: { word: PolicyWord; count: number }[];
};

/** Revoked ones are nobody's worry and not counted. */
export async function countFleet(pool: Pool, now: Date): Promise<Fleet> {
  type Counted = { status: StatusWord; isolation: IsolationKey; policy: PolicyWord; count: string };
  const { rows } = await pool.query<Counted>(
    `SELECT ${STATUS} AS status, ${ISOLATION} AS isolation, ${POLICY} AS policy, count(*)
       FROM workstation w ${JOINS} WHERE w.state <> 'revoked' GROUP BY 1, 2, 3`,
    [now],
  );
  const sum = <K>(key: (row: Counted) => K): Map<K, number> => {
    const sums = new Map<K, number>();
    for (const row of rows) sums.set(key(row), (sums.get(key(row)) ?? 0) + Number(row.count));
    return new Map([...sums].sort(([, a], [, b]) => b - a));
  };
  return {
    workstations: rows.reduce((total, { count }) => total + Number(count), 0),
    status: [...sum((row) => row.status)].map(([word, count]) => ({ word, count })),
    isolation: [...sum((row) => row.isolation)].map(([word, count]) => ({ word, count })),
    policy: [...sum((row) => row.policy)].map(([word, count]) => ({ word, count })),
  };
}

/** How many of each group have in force, as they found it by looking, what the group should have; revoked ones are not
 *  counted. */
export async function countInForce(pool: Pool): Promise<{ group: string; workstations: number; inForce: number }[]> {
  const { rows } = await pool.query<{ group: string; workstations: string; inForce: string }>(
    `SELECT w.group_id AS "group", count(*) AS workstations, count(*) FILTER (WHERE ${POLICY} = 'none') AS "inForce"
       FROM workstation w ${JOINS} WHERE w.state <> 'revoked' GROUP BY 1`,
  );
  return rows.map((row) => ({
    ...{ group: row.group, workstations: Number(row.workstations), inForce: Number(row.inForce) },
  }));
}

/** Those a person should look at, worst first: what is not heard, then what could not make its policy true, then what has an
 *  older one; where all is well, some of them by name. */
export async function listNeedy(pool: Pool, now: Date): Promise<{ rows: WorkstationRow[]; needy: boolean }> {
  const rank = `CASE ${STATUS} WHEN 'quarantined' THEN 0 WHEN 'silent' THEN 1 WHEN 'late' THEN 2 WHEN 'no record yet' THEN 3
    ELSE CASE ${POLICY} WHEN 'partial' THEN 4 WHEN 'behind' THEN 5 ELSE 9 END END`;
  const { rows } = await pool.query<Raw & { rank: number }>(
    `SELECT * FROM (${SELECT.replace("SELECT", `SELECT ${rank} AS rank,`)} WHERE w.state <> 'revoked') w
      ORDER BY rank, last_receipt_at NULLS FIRST, name, id LIMIT ${NEEDY_MAX}`,
    [now],
  );
  const needy = rows.filter((row) => row.rank < 9);
  return needy.length > 0
    ? { rows: needy.map(toRow), needy: true }
    : { rows: [...rows].sort((a, b) => (a.name < b.name ? -1 : 1)).map(toRow), needy: false };
}
