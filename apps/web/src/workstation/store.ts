/** Workstations ↔ Postgres: rows with what they last reported, and what they should have in force. */
import type { PolicyDigest } from "@sallyport/shared/base/ids.ts";
import { type Drift, drift } from "@sallyport/shared/state/drift.ts";
import { Reported } from "@sallyport/shared/state/reported.ts";
import { readSigned } from "@sallyport/shared/trail/signed.ts";
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";
import { HEALTH_SECONDS, ISOLATION, JOINS, POLICY, STATUS } from "./judged.ts";
import type { SortWord } from "./sort.ts";
import type { IsolationKey, PolicyWord, Signs, StatusWord } from "./status.ts";

export const PAGE_ROWS_MAX = 200;

export type WorkstationRow = Signs & {
  id: string;
  name: string;
  hostname: string;
  /** `threshold`: how many keys a policy, and a command that destroys or gives back, must be signed by. */
  group: { id: string; name: string; threshold: number };
  labels: string[];
  agentVersion: string;
  lastRecordTime: string | null;
  skewMs: number | null;
  presenceAt: string | null;
  desired: { order: number; digest: string } | null;
  reported: Reported | null;
  reportedAt: string | null;
  drift: Drift;
  records: number;
};

export type Raw = {
  id: string;
  name: string;
  hostname: string;
  group_id: string;
  group_name: string;
  threshold: number;
  labels: string[];
  state: Signs["state"];
  state_reason: string | null;
  agent_version: string;
  enrolled_at: Date;
  last_receipt_at: Date | null;
  last_record_time: Date | null;
  skew_ms: number | null;
  presence_state: string | null;
  presence_at: Date | null;
  order: number | null;
  digest: string | null;
  document: unknown;
  received_at: Date | null;
  health_seconds: number | null;
  records: string | null;
};

export const SELECT = `SELECT w.id, w.name, w.hostname, w.group_id, g.name AS group_name, g.threshold, w.labels, w.state, w.state_reason, w.agent_version,
         w.enrolled_at, w.last_receipt_at, w.last_record_time, w.skew_ms, w.presence_state, w.presence_at,
         p.order, p.digest, r.document, r.received_at, ${HEALTH_SECONDS} AS health_seconds,
         (SELECT sum(t.size) FROM trail t WHERE t.workstation_id = w.id) AS records
    FROM workstation w
    JOIN "group" g ON g.id = w.group_id ${JOINS}`;

/** What is stored is the signed report or its value; what cannot be read counts as not reported. */
export function readReported(document: unknown): Reported | null {
  const signed = readSigned(Reported, document);
  if (signed.ok) return signed.value.value;
  const plain = Reported.safeParse(document);
  return plain.success ? plain.data : null;
}

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

export function toRow(raw: Raw): WorkstationRow {
  const reported = readReported(raw.document);
  const desired = raw.order !== null && raw.digest !== null ? { order: raw.order, digest: raw.digest } : null;
  return {
    id: raw.id,
    name: raw.name,
    hostname: raw.hostname,
    group: { id: raw.group_id, name: raw.group_name, threshold: raw.threshold },
    labels: raw.labels,
    state: raw.state,
    stateReason: raw.state_reason,
    agentVersion: raw.agent_version,
    enrolledAt: raw.enrolled_at.toISOString(),
    lastReceiptAt: iso(raw.last_receipt_at),
    lastRecordTime: iso(raw.last_record_time),
    skewMs: raw.skew_ms,
    presence: raw.presence_state,
    healthSeconds: raw.health_seconds,
    presenceAt: iso(raw.presence_at),
    desired,
    reported,
    reportedAt: iso(raw.received_at),
    drift: drift(
      desired ? { order: desired.order, digest: desired.digest as PolicyDigest } : undefined,
      reported ?? undefined,
    ),
    records: Number(raw.records ?? 0),
  };
}

export type Asked = {
  search?: string | undefined;
  group?: string | undefined;
  status?: StatusWord | undefined;
  isolation?: IsolationKey | undefined;
  policy?: PolicyWord | undefined;
  sort?: SortWord | undefined;
  after?: Place | undefined;
};
/** Where a page ends: its last row, and `at` what it is sorted by, as Postgres writes that. */
export type Place = { at: string; id: string };
export type Page = { rows: WorkstationRow[]; next: Place | null };

/** What is sorted by: never null, so that each has a place. */
const KEYS = {
  name: { key: "w.name", type: "text" },
  "last-record": { key: "coalesce(w.last_receipt_at, '-infinity')", type: "timestamptz" },
  spool: { key: "coalesce((r.document #>> '{spool,records}')::bigint, -1)", type: "bigint" },
  skew: { key: "abs(coalesce(w.skew_ms, 0)::bigint)", type: "bigint" },
} as const;

/** By name unless asked otherwise; one row more than the page tells whether there is another. A revoked one has neither
 *  isolation nor policy to worry about, and is listed by them only where those that are revoked are asked for. Which ones
 *  a page has is found first, and how each is, only where that was asked for: a fleet is large, a page is not. */
export async function listWorkstations(pool: Pool, now: Date, asked: Asked, limit = PAGE_ROWS_MAX): Promise<Page> {
  const { search, group, status, isolation, policy, sort = "name", after } = asked;
  const { key, type } = KEYS[sort.replace(/^-/, "") as keyof typeof KEYS];
  const [beyond, order] = sort.startsWith("-") ? ["<", "DESC"] : [">", "ASC"];
  const values: unknown[] = [now, limit + 1];
  const put = (value: unknown) => `$${values.push(value)}`;
  const sql = ["$1::timestamptz IS NOT NULL"]; // STATUS names it so, and need not be asked
  if (search) {
    const pattern = put(`%${search.replace(/[\\%_]/g, "\\$&")}%`);
    sql.push(`(w.name ILIKE ${pattern} OR w.hostname ILIKE ${pattern} OR w.id::text ILIKE ${pattern}
               OR EXISTS (SELECT 1 FROM unnest(w.labels) l WHERE l ILIKE ${pattern}))`);
  }
  if (group) sql.push(`w.group_id = ${put(group)}`);
  if (after) sql.push(`(${key}, w.id) ${beyond} (${put(after.at)}::text::${type}, ${put(after.id)}::uuid)`);
  if (status) sql.push(`${STATUS} = ${put(status)}`);
  if (isolation) sql.push(`${ISOLATION} = ${put(isolation)}`);
  if (policy) sql.push(`${POLICY} = ${put(policy)}`);
  if ((isolation || policy) && status !== "revoked") sql.push("w.state <> 'revoked'");
  const joins = status || isolation || policy ? JOINS : "LEFT JOIN reported r ON r.workstation_id = w.id";
  const { rows } = await pool.query<Raw & { sorted: string }>(
    `WITH place AS MATERIALIZED (
       SELECT w.id, ${key} AS sorted FROM workstation w ${joins}
        WHERE ${sql.join(" AND ")} ORDER BY ${key} ${order}, w.id ${order} LIMIT $2)
     ${SELECT.replace("SELECT", "SELECT place.sorted::text AS sorted,")} JOIN place ON place.id = w.id
      ORDER BY place.sorted ${order}, w.id ${order}`,
    values,
  );
  const last = rows[limit - 1];
  return {
    rows: rows.slice(0, limit).map(toRow),
    next: rows.length > limit && last ? { at: last.sorted, id: last.id } : null,
  };
}

export type TrailRow = {
  num: number;
  id: string;
  state: string;
  size: number;
  safe: number;
  openedAt: string;
  receivedAt: string | null;
  checkpoint: string | null;
  lost: number;
};

export async function getWorkstation(
  pool: Pool,
  id: string,
): Promise<{ row: WorkstationRow; trails: TrailRow[]; certificateNotAfter: string | null }> {
  const [one, trails, certificate] = await Promise.all([
    pool.query<Raw>(`${SELECT} WHERE w.id = $1`, [id]),
    pool.query<{
      num: number;
      id: string;
      state: string;
      size: string;
      safe: string;
      opened_at: Date;
      received_at: Date | null;
      checkpoint: string | null;
      lost: string;
    }>(
      `SELECT t.num, t.id, t.state, t.size, t.safe, t.opened_at, t.received_at, t.checkpoint,
              (SELECT coalesce(sum(l."to" - l."from"), 0) FROM loss l WHERE l.trail = t.num) AS lost
         FROM trail t WHERE t.workstation_id = $1 ORDER BY t.num DESC LIMIT 50`,
      [id],
    ),
    pool.query<{ not_after: Date }>(
      "SELECT not_after FROM certificate WHERE workstation_id = $1 AND revoked_at IS NULL ORDER BY not_after DESC LIMIT 1",
      [id],
    ),
  ]);
  const raw = one.rows[0];
  if (!raw) throw new Refusal("NOT_FOUND", "There is no such workstation.");
  return {
    row: toRow(raw),
    certificateNotAfter: iso(certificate.rows[0]?.not_after ?? null),
    trails: trails.rows.map((trail) => ({
      num: trail.num,
      id: trail.id,
      state: trail.state,
      size: Number(trail.size),
      safe: Number(trail.safe),
      openedAt: trail.opened_at.toISOString(),
      receivedAt: iso(trail.received_at),
      checkpoint: trail.checkpoint,
      lost: Number(trail.lost),
    })),
  };
}

export type Named = { id: string; name: string };

/** As many as a list of suggestions shows; typing on narrows it. */
const SUGGESTED_MAX = 20;
/** A filter names no more. */
export const NAMED_MAX = 20;

/** What somebody who types may mean, best first: the name itself, what begins so, what holds it. */
export async function findNames(pool: Pool, typed: string): Promise<Named[]> {
  const plain = typed.replace(/[\\%_]/g, "\\$&");
  const { rows } = await pool.query<Named>(
    `SELECT id, name FROM workstation WHERE name ILIKE '%' || $2 || '%'
      ORDER BY lower(name) = lower($1) DESC, name ILIKE $2 || '%' DESC, name, id LIMIT ${SUGGESTED_MAX}`,
    [typed, plain],
  );
  return rows;
}

export async function namesOf(pool: Pool, ids: readonly string[]): Promise<Named[]> {
  const { rows } = await pool.query<Named>("SELECT id, name FROM workstation WHERE id = ANY($1::uuid[])", [ids]);
  return rows;
}
