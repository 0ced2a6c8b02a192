/** The whole fleet in a few numbers ↔ Postgres. Counted where the rows are, by the same rules as status.ts and drift.ts say
 *  of one (test/fleet.test.ts holds the two together). */
import { SECTIONS } from "@sallyport/shared/policy/policy.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type { Drift } from "@sallyport/shared/state/drift.ts";
import type { Pool } from "pg";
import { LATE_INTERVALS, LATE_MS, SILENT_INTERVALS, SILENT_MS, type StatusWord, WAY_MS } from "./status.ts";
import { HEALTH_SECONDS, JOINS, type Raw, SELECT, toRow, type WorkstationRow } from "./store.ts";

const NEEDY_MAX = 8;

export type PolicyWord = Drift["state"] | "unpublished";
export type Layout = Pick<HypervisorLayout, "hypervisor" | "isolation">;
export type Fleet = {
  workstations: number;
  status: { word: StatusWord; count: number }[];
  /** `layout` is null where none was reported. */
  isolation: { layout: Layout | null; count: number }[];
  policy: { word: PolicyWord; count: number }[];
};

const within = (leastMs: number, intervals: number) =>
  `greatest(interval '${leastMs} ms', make_interval(secs => ${intervals} * coalesce(${HEALTH_SECONDS}, 0) + ${WAY_MS / 1000}))`;

/** $1 is now. */
const STATUS = `CASE WHEN w.state <> 'enrolled' THEN w.state
  WHEN w.last_receipt_at IS NULL THEN 'no record yet'
  WHEN $1::timestamptz - w.last_receipt_at <= ${within(LATE_MS, LATE_INTERVALS)} THEN 'reporting'
  WHEN $1::timestamptz - w.last_receipt_at <= ${within(SILENT_MS, SILENT_INTERVALS)} THEN 'late' ELSE 'silent' END`;
const LAGS = `(r.document #>> '{policy,digest}' IS DISTINCT FROM p.digest
  OR (r.document #>> '{policy,order}')::bigint < p."order")`;
const POLICY = `CASE WHEN p.digest IS NULL THEN 'unpublished' WHEN r.document IS NULL THEN 'unknown' WHEN ${LAGS} THEN 'behind'
  WHEN EXISTS (SELECT 1 FROM unnest('{${SECTIONS.join(",")}}'::text[]) AS section
                WHERE coalesce(r.document #>> ARRAY['sections', section, 'outcome'], '') NOT IN ('applied', 'audit'))
  THEN 'partial' ELSE 'none' END`;

/** Revoked ones are nobody's worry and not counted. */
export async function countFleet(pool: Pool, now: Date): Promise<Fleet> {
  type Counted = {
    status: StatusWord;
    hypervisor: Layout["hypervisor"] | null;
    isolation: Layout["isolation"] | null;
    policy: PolicyWord;
    count: string;
  };
  const { rows } = await pool.query<Counted>(
    `SELECT ${STATUS} AS status, r.document #>> '{layout,hypervisor}' AS hypervisor,
            r.document #>> '{layout,isolation}' AS isolation, ${POLICY} AS policy, count(*)
       FROM workstation w ${JOINS} WHERE w.state <> 'revoked' GROUP BY 1, 2, 3, 4`,
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
    isolation: [...sum(({ hypervisor, isolation }) => (isolation ? `${hypervisor}/${isolation}` : ""))].map(
      ([key, count]) => {
        const [hypervisor, isolation] = key.split("/") as [Layout["hypervisor"], Layout["isolation"]];
        return { layout: key ? { hypervisor, isolation } : null, count };
      },
    ),
    policy: [...sum((row) => row.policy)].map(([word, count]) => ({ word, count })),
  };
}

/** Those a person should look at, worst first; where all is well, some of them by name. */
export async function listNeedy(pool: Pool, now: Date): Promise<{ rows: WorkstationRow[]; needy: boolean }> {
  const rank = `CASE ${STATUS} WHEN 'quarantined' THEN 0 WHEN 'silent' THEN 1 WHEN 'late' THEN 2 WHEN 'no record yet' THEN 3
    ELSE CASE WHEN p.digest IS NOT NULL AND r.document IS NOT NULL AND ${LAGS} THEN 4 ELSE 9 END END`;
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
