/** Records ↔ Postgres, by plain SQL: the table is partitioned by `received` and lists follow its key. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";
import type { Cursor, Filter } from "./filter.ts";

export const PAGE_ROWS_MAX = 200;
/** Of one trail at once in a live tail; a reader who was away longer is shown the newest. */
const MOVED_ROWS_MAX = 20_000;

export type RecordRow = {
  trail: number;
  index: number;
  received: string;
  time: string;
  kind: string;
  severity: Severity;
  guest: string | null;
  /** Null where the reader may not see contents. */
  text: string | null;
  marked: string | null;
  /** Null for the console's own trail. */
  workstation: { id: string; name: string } | null;
};

export type Raw = {
  trail: number;
  index: string;
  received: Date;
  time: Date;
  kind: string;
  severity: number;
  guest: string | null;
  text: string;
  marked: string | null;
  workstation_id: string | null;
  name: string | null;
};

export const COLUMNS =
  "r.trail, r.index, r.received, r.time, r.kind, r.severity, r.guest, r.text, r.marked, t.workstation_id, w.name";
export const FROM = "FROM record r JOIN trail t ON t.num = r.trail LEFT JOIN workstation w ON w.id = t.workstation_id";

export const toRow = (raw: Raw, contents: boolean): RecordRow => ({
  trail: raw.trail,
  index: Number(raw.index),
  received: raw.received.toISOString(),
  time: raw.time.toISOString(),
  kind: raw.kind,
  severity: SEVERITIES[raw.severity] ?? "info",
  guest: raw.guest,
  text: contents ? raw.text : null,
  marked: raw.marked,
  workstation: raw.workstation_id ? { id: raw.workstation_id, name: raw.name ?? raw.workstation_id } : null,
});

/** `%`, `_` and `\` in what is searched for mean themselves. */
const like = (text: string): string => `%${text.replace(/[\\%_]/g, "\\$&")}%`;

/** The WHERE of a filter and its values, numbered from `first`. Exported for its test. */
export function where(filter: Filter, first = 1): { sql: string[]; values: unknown[] } {
  const sql: string[] = [];
  const values: unknown[] = [];
  const put = (value: unknown) => `$${first - 1 + values.push(value)}`;
  const kinds = (list: string[]) =>
    `r.kind LIKE ANY(${put(list.map((kind) => like(kind).slice(1, -1).replace(/\*$/, "%")))})`;
  if (filter.kind) sql.push(kinds(filter.kind));
  if (filter.notKind) sql.push(`NOT ${kinds(filter.notKind)}`);
  if (filter.severity) sql.push(`r.severity >= ${put(SEVERITIES.indexOf(filter.severity))}`);
  if (filter.workstation)
    sql.push(`r.trail IN (SELECT num FROM trail WHERE workstation_id = ANY(${put(filter.workstation)}::uuid[]))`);
  if (filter.guest) sql.push(`r.guest = ANY(${put(filter.guest)})`);
  for (const text of filter.text ?? []) sql.push(`r.text ILIKE ${put(like(text))}`);
  if (filter.since) sql.push(`r.received >= ${put(filter.since)}::timestamptz`);
  if (filter.until) sql.push(`r.received < ${put(filter.until)}::timestamptz`);
  return { sql, values };
}

export type Page = { rows: RecordRow[]; next: Cursor | null };

/** Newest first. One row more than a page is asked for, to know whether there is a next one; nothing is counted. */
export async function listRecords(
  pool: Pool,
  filter: Filter,
  after: Cursor | undefined,
  limit: number,
  contents: boolean,
): Promise<Page> {
  const { sql, values } = where(filter);
  if (after) {
    const at = values.push(after.received, after.trail, after.index);
    sql.push(`(r.received, r.trail, r.index) < ($${at - 2}::timestamptz, $${at - 1}::int, $${at}::bigint)`);
  }
  values.push(limit + 1);
  const { rows } = await pool.query<Raw>(
    `SELECT ${COLUMNS} ${FROM} ${sql.length > 0 ? `WHERE ${sql.join(" AND ")}` : ""}
     ORDER BY r.received DESC, r.trail DESC, r.index DESC LIMIT $${values.length}`,
    values,
  );
  const page = rows.slice(0, limit).map((raw) => toRow(raw, contents));
  const last = page.at(-1);
  const next = rows.length > limit && last ? { received: last.received, trail: last.trail, index: last.index } : null;
  return { rows: page, next };
}

/** Of these ranges, the newest that match, newest first. Each range is read by its trail's index. */
export async function listMoved(
  pool: Pool,
  filter: Filter,
  moved: readonly { trail: number; from: number; to: number }[],
  limit: number,
  contents: boolean,
): Promise<RecordRow[]> {
  const { sql, values } = where(filter, 5);
  const { rows } = await pool.query<Raw>(
    `SELECT ${COLUMNS}
       FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS m (trail, "from", "to")
       JOIN LATERAL (SELECT * FROM record WHERE trail = m.trail AND index >= m."from" AND index < m."to"
                      ORDER BY index DESC LIMIT ${MOVED_ROWS_MAX}) r ON true
       JOIN trail t ON t.num = r.trail LEFT JOIN workstation w ON w.id = t.workstation_id
      ${sql.length > 0 ? `WHERE ${sql.join(" AND ")}` : ""}
      ORDER BY r.received DESC, r.trail DESC, r.index DESC LIMIT $4`,
    [moved.map(({ trail }) => trail), moved.map(({ from }) => from), moved.map(({ to }) => to), limit, ...values],
  );
  return rows.map((raw) => toRow(raw, contents));
}

export type RecordFull = RecordRow & {
  contentHash: string;
  salt: string | null;
  /** Canonical JSON as it was hashed; null where it was given up, erased, or is not the reader's to see. */
  content: string | null;
  withheld: boolean;
  body?: unknown;
  fault: string | null;
};

export async function getRecord(pool: Pool, trail: number, index: number, contents: boolean): Promise<RecordFull> {
  type Full = Raw & { content_hash: Buffer; salt: Buffer | null; content: Buffer | null };
  const one = await pool.query<Full>(
    `SELECT ${COLUMNS}, r.content_hash, r.salt, r.content ${FROM} WHERE r.trail = $1 AND r.index = $2`,
    [trail, index],
  );
  const raw = one.rows[0];
  if (!raw) throw new Refusal("NOT_FOUND", `Trail ${trail} has no record ${index}.`);
  const content = contents && raw.content ? raw.content : null;
  const read = content ? readContent(content) : undefined;
  return {
    ...toRow(raw, contents),
    contentHash: raw.content_hash.toString("hex"),
    salt: contents ? (raw.salt?.toString("hex") ?? null) : null,
    content: content?.toString("utf8") ?? null,
    withheld: !contents && raw.content !== null,
    body: read?.ok ? read.value.body : null,
    fault: read && !read.ok ? read.error : null,
  };
}

/** Kinds and guests seen lately, to choose from: the newest records only, so it costs the same on any size. */
export async function listChoices(pool: Pool): Promise<{ kinds: string[]; guests: string[] }> {
  const recent = "SELECT kind, guest FROM record ORDER BY received DESC, trail DESC, index DESC LIMIT 5000";
  const { rows } = await pool.query<{ kinds: string[] | null; guests: string[] | null }>(
    `WITH recent AS (${recent})
     SELECT (SELECT array_agg(DISTINCT kind ORDER BY kind) FROM recent) AS kinds,
            (SELECT array_agg(DISTINCT guest ORDER BY guest) FROM recent WHERE guest IS NOT NULL) AS guests`,
  );
  return { kinds: rows[0]?.kinds ?? [], guests: rows[0]?.guests ?? [] };
}
