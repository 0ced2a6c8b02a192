/** Alerts ↔ Postgres: what a person should triage, and what became of it. */
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import type { Pool, PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";
import { type About, aboutOf } from "./about.ts";
import type { SortWord } from "./sort.ts";

export const PAGE_ROWS_MAX = 200;

export const STATES = ["open", "acknowledged", "closed"] as const;
export type AlertState = (typeof STATES)[number];

export type AlertRow = {
  id: number;
  workstation: { id: string; name: string } | null;
  record: { trail: number; index: number } | null;
  /** The page with what it is about, where that is no record. */
  about: About | null;
  kind: string;
  severity: Severity;
  title: string;
  reason: string;
  raisedAt: string;
  count: number;
  lastAt: string;
  state: AlertState;
  by: string | null;
  at: string | null;
  note: string | null;
};

type Raw = {
  id: string;
  key: string;
  workstation_id: string | null;
  workstation_name: string | null;
  trail: number | null;
  index: string | null;
  kind: string;
  severity: number;
  title: string;
  reason: string;
  raised_at: Date;
  count: number;
  last_at: Date;
  state: AlertState;
  by: string | null;
  acknowledged_at: Date | null;
  note: string | null;
};

const toRow = (raw: Raw): AlertRow => ({
  id: Number(raw.id),
  workstation: raw.workstation_id ? { id: raw.workstation_id, name: raw.workstation_name ?? raw.workstation_id } : null,
  record: raw.trail !== null && raw.index !== null ? { trail: raw.trail, index: Number(raw.index) } : null,
  about: aboutOf(raw.key),
  kind: raw.kind,
  severity: SEVERITIES[raw.severity] ?? "warning",
  title: raw.title,
  reason: raw.reason,
  raisedAt: raw.raised_at.toISOString(),
  count: raw.count,
  lastAt: raw.last_at.toISOString(),
  state: raw.state,
  by: raw.by,
  at: raw.acknowledged_at?.toISOString() ?? null,
  note: raw.note,
});

export type Asked = {
  state?: AlertState | undefined;
  workstation?: string | undefined;
  kind?: string | undefined;
  /** This or worse. */
  severity?: Severity | undefined;
  sort?: SortWord | undefined;
  /** The last one of the page before. */
  after?: number | undefined;
};

/** Ids rise as alerts are raised. */
const KEYS = { raised: ["id"], severity: ["severity", "id"] } as const;

const SELECT = `
    SELECT a.id, a.key, a.workstation_id, w.name AS workstation_name, a.trail, a.index, a.kind, a.severity, a.title, a.reason,
            a.raised_at, a.count, a.last_at, a.state, coalesce(p.name, a.acknowledged_by) AS by, a.acknowledged_at, a.note
       FROM alert a LEFT JOIN workstation w ON w.id = a.workstation_id LEFT JOIN person p ON p.id = a.acknowledged_by`;

/** Newest first unless asked otherwise. */
export async function listAlerts(
  pool: Pool,
  { state, workstation, kind, severity, sort = "-raised", after }: Asked,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: AlertRow[]; next: number | null }> {
  const keys = KEYS[sort.replace(/^-/, "") as keyof typeof KEYS];
  const [beyond, order] = sort.startsWith("-") ? ["<", "DESC"] : [">", "ASC"];
  const of = (table: string) => keys.map((key) => `${table}.${key}`).join(", ");
  const { rows } = await pool.query<Raw>(
    `${SELECT}
      WHERE ($1::text IS NULL OR a.state = $1) AND ($2::uuid IS NULL OR a.workstation_id = $2)
        AND ($3::text IS NULL OR a.kind = $3) AND a.severity >= $4
        AND ($5::bigint IS NULL OR (${of("a")}) ${beyond} (SELECT ${of("c")} FROM alert c WHERE c.id = $5))
      ORDER BY ${keys.map((key) => `a.${key} ${order}`).join(", ")} LIMIT $6`,
    [
      ...[state ?? null, workstation ?? null, kind ?? null, severity ? SEVERITIES.indexOf(severity) : 0],
      ...[after ?? null, limit + 1],
    ],
  );
  const page = rows.slice(0, limit).map(toRow);
  return { rows: page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

export async function getAlert(pool: Pool, id: number): Promise<AlertRow> {
  const { rows } = await pool.query<Raw>(`${SELECT} WHERE a.id = $1`, [id]);
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is no such alert.");
  return toRow(rows[0]);
}

const LATELY_ROWS = 5_000;

/** The kinds of those that were raised lately, by name. */
export async function alertKinds(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ kind: string }>(
    `SELECT DISTINCT kind FROM (SELECT kind FROM alert ORDER BY id DESC LIMIT ${LATELY_ROWS}) lately ORDER BY kind`,
  );
  return rows.map(({ kind }) => kind);
}

/** Moves an alert on, with who and why; answers what it was. */
export async function triage(
  tx: PoolClient,
  asked: { id: number; state: AlertState; note: string; personId: string },
): Promise<{ before: AlertState; title: string }> {
  const { rows } = await tx.query<{ state: AlertState; title: string }>(
    "SELECT state, title FROM alert WHERE id = $1 FOR UPDATE",
    [asked.id],
  );
  const before = rows[0];
  if (!before) throw new Refusal("NOT_FOUND", "There is no such alert.");
  if (before.state === asked.state)
    throw new Refusal("CONFLICT", `It is ${before.state} already; somebody may have been faster. Look again.`);
  await tx.query(
    `UPDATE alert SET state = $2, note = $3, acknowledged_by = $4, acknowledged_at = now() WHERE id = $1`,
    [asked.id, asked.state, asked.note, asked.personId],
  );
  return { before: before.state, title: before.title };
}
