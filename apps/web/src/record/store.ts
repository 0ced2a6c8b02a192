/** Records ↔ Postgres, by plain SQL: the table is partitioned by `received` and lists follow its key. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import type { Pool } from "pg";
import { findMoved, findRanges, IN_RANGE, readRanges } from "../trail/ranges.ts";
import { Refusal } from "../trpc/errors.ts";
import type { Cursor, Filter } from "./filter.ts";
import type { Moved } from "./heard.ts";
import { type Window, windows } from "./windows.ts";

export const PAGE_ROWS_MAX = 200;
/** Of one trail at once in a live tail; a reader who was away longer is shown the newest. */
const MOVED_ROWS_MAX = 20_000;
const CHOICES_ROWS_MAX = 5_000;
/** Of all of a page's statements; each by itself is bounded by the connection. */
const LIST_MS_MAX = 10_000;

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
  { signal, msMax = LIST_MS_MAX }: { signal?: AbortSignal | undefined; msMax?: number } = {},
): Promise<Page> {
  const found: Raw[] = [];
  const started = performance.now();
  let back: Date | undefined;
  for await (const window of windows(pool, filter.since, untilOf(filter, after))) {
    if (back && performance.now() - started > msMax) return soFar(found, back, contents);
    found.push(...(await readWindow(pool, filter, after, window, limit + 1 - found.length)));
    if (found.length > limit || signal?.aborted) break;
    back = window.from;
  }
  const page = found.slice(0, limit).map((raw) => toRow(raw, contents));
  const last = page.at(-1);
  const next = found.length > limit && last ? { received: last.received, trail: last.trail, index: last.index } : null;
  return { rows: page, next };
}

/** A search that took its time: what it found, and where the next page goes on. */
function soFar(found: Raw[], back: Date, contents: boolean): Page {
  const received = back.toISOString();
  if (found.length === 0)
    throw new Refusal(
      "BAD_REQUEST",
      `Nothing was found back to ${received}, and looking further takes too long. Narrow it: a shorter time, a workstation, a kind.`,
    );
  return { rows: found.map((raw) => toRow(raw, contents)), next: { received, trail: 0, index: 0 } };
}

/** A page's last row may have others of its millisecond behind it. */
function untilOf({ until }: Filter, after: Cursor | undefined): string | undefined {
  const last = after && new Date(Date.parse(after.received) + 1).toISOString();
  return last && until ? (last < until ? last : until) : (last ?? until);
}

async function readWindow(
  pool: Pool,
  filter: Filter,
  after: Cursor | undefined,
  { from, to }: Window,
  limit: number,
): Promise<Raw[]> {
  const { sql, values } = where(filter, 4);
  if (after) {
    const at = 3 + values.push(after.received, after.trail, after.index);
    sql.push(`(r.received, r.trail, r.index) < ($${at - 2}::timestamptz, $${at - 1}::int, $${at}::bigint)`);
  }
  const { rows } = await pool.query<Raw>(
    `SELECT ${COLUMNS} ${FROM}
      WHERE ${["r.received >= $1::timestamptz AND r.received < $2::timestamptz", ...sql].join(" AND ")}
      ORDER BY r.received DESC, r.trail DESC, r.index DESC LIMIT $3::int`,
    [from, to, limit, ...values],
  );
  return rows;
}

/** Of these ranges, the newest that match, newest first: partition by partition, each range by its trail's index. */
export async function listMoved(
  pool: Pool,
  filter: Filter,
  moved: readonly Moved[],
  limit: number,
  contents: boolean,
): Promise<RecordRow[]> {
  const { sql, values } = where(filter, 7);
  const found: Raw[] = [];
  for (const { from, to, ranges } of await findMoved(pool, moved, MOVED_ROWS_MAX)) {
    const { rows } = await pool.query<Raw>(
      `SELECT ${COLUMNS}
         FROM unnest($4::int[], $5::bigint[], $6::bigint[]) AS m (trail, "from", "to")
         JOIN LATERAL (SELECT * FROM record WHERE trail = m.trail AND index >= m."from" AND index < m."to"
                        AND received >= $1::timestamptz AND received < $2::timestamptz) r ON true
         JOIN trail t ON t.num = r.trail LEFT JOIN workstation w ON w.id = t.workstation_id
        ${sql.length > 0 ? `WHERE ${sql.join(" AND ")}` : ""}
        ORDER BY r.received DESC, r.trail DESC, r.index DESC LIMIT $3::int`,
      [
        ...[from, to, limit - found.length],
        ...[ranges.map(({ trail }) => trail), ranges.map((each) => each.from), ranges.map((each) => each.to)],
        ...values,
      ],
    );
    found.push(...rows);
    if (found.length >= limit) break;
  }
  return found.map((raw) => toRow(raw, contents));
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
  const [raw] = await readRanges<Full>(
    pool,
    trail,
    await findRanges(pool, trail, index, index + 1),
    `SELECT ${COLUMNS}, r.content_hash, r.salt, r.content ${FROM} WHERE ${IN_RANGE}`,
  );
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
  const kinds = new Set<string>();
  const guests = new Set<string>();
  let left = CHOICES_ROWS_MAX;
  for await (const { from, to } of windows(pool, undefined, undefined)) {
    const { rows } = await pool.query<{ kind: string; guest: string | null; seen: string }>(
      `SELECT kind, guest, count(*) AS seen FROM (
         SELECT kind, guest FROM record WHERE received >= $1::timestamptz AND received < $2::timestamptz
          ORDER BY received DESC, trail DESC, index DESC LIMIT $3::int) recent GROUP BY kind, guest`,
      [from, to, left],
    );
    for (const { kind, guest, seen } of rows) {
      kinds.add(kind);
      if (guest !== null) guests.add(guest);
      left -= Number(seen);
    }
    if (left <= 0) break;
  }
  return { kinds: [...kinds].sort(), guests: [...guests].sort() };
}
