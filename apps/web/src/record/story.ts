/** The story of one record ↔ Postgres: what ties to it on its own trail, what stands around it on that workstation and
 *  guest, where else in the fleet it was seen, and the alert it raised. Each part is bounded; none reads a whole trail. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Pool } from "pg";
import { type Link, linksOf, type Tie, tiesOf } from "./links.ts";
import { COLUMNS, FROM, getRecord, type Raw, type RecordFull, type RecordRow, toRow } from "./store.ts";

/** How far along its trail tied records are looked for, either way: a few minutes of a busy machine. */
const REACH_RECORDS = 3_000;
const TIED_MAX = 24;
/** On the same workstation and guest, before and after. */
const AROUND = 4;
const ELSEWHERE_MAX = 12;
const SUSPECTS_MAX = 50;

export type Chapter = RecordRow & { ties: Tie[] };
export type StoryAlert = { id: number; title: string; severity: Severity; state: string };
export type Story = {
  /** In order of the trail, the record itself among them. */
  chapters: Chapter[];
  /** The same stick's bytes, a file of it, or the act behind it, on other trails; newest first. */
  elsewhere: Chapter[];
  alerts: StoryAlert[];
  /** Tied records beyond these were not looked for, or not all shown. */
  bounded: boolean;
};

export async function tellStory(pool: Pool, trail: number, index: number, contents: boolean): Promise<Story> {
  const record = await getRecord(pool, trail, index, contents);
  // a hit would tell what contents say: who may not read them is shown neighbours only
  const links = contents ? linksOf(record.kind, record.body) : [];
  const [tied, around, elsewhere, gap, alerts] = await Promise.all([
    findTied(pool, record, links),
    findAround(pool, record),
    contents ? findElsewhere(pool, record, links) : [],
    record.content === null && contents ? findGap(pool, record) : [],
    findAlerts(pool, record),
  ]);
  const chapters = new Map<number, Chapter>();
  const put = (raw: Raw, ties: Tie[]) => chapters.set(Number(raw.index), { ...toRow(raw, contents), ties });
  for (const raw of around) put(raw, []);
  for (const { raw, ties } of tied) put(raw, ties);
  for (const raw of gap) put(raw, []);
  return {
    chapters: [...chapters.values()].sort((a, b) => a.index - b.index),
    elsewhere,
    alerts,
    bounded: tied.length >= TIED_MAX,
  };
}

type Full = Raw & { content: Buffer | null };
type Tied = { raw: Raw; ties: Tie[] };

/** Postgres looks for the bytes, which is quick and says too much; whether they mean the same is decided here. */
const anyOf = (links: readonly Link[], first: number): { sql: string; values: Buffer[] } => {
  const values: Buffer[] = [];
  const sql = links.map(
    ({ needles }) =>
      `(${needles.map((needle) => `position($${first - 1 + values.push(Buffer.from(needle))}::bytea IN r.content) > 0`).join(" AND ")})`,
  );
  return { sql: `(${sql.join(" OR ")})`, values };
};

function decoded(rows: Full[], links: readonly Link[]): Tied[] {
  return rows.flatMap(({ content, ...raw }) => {
    const read = content ? readContent(content) : undefined;
    const ties = read?.ok ? tiesOf(links, { kind: raw.kind, body: read.value.body }) : [];
    return ties.length > 0 ? [{ raw, ties }] : [];
  });
}

async function findTied(pool: Pool, record: RecordFull, links: readonly Link[]): Promise<Tied[]> {
  if (links.length === 0) return [];
  const { sql, values } = anyOf(links, 5);
  const { rows } = await pool.query<Full>(
    `SELECT ${COLUMNS}, r.content ${FROM}
      WHERE r.trail = $1 AND r.index BETWEEN $2 AND $3 AND r.index <> $4 AND ${sql}
      ORDER BY abs(r.index - $4) LIMIT ${TIED_MAX}`,
    [record.trail, Math.max(0, record.index - REACH_RECORDS), record.index + REACH_RECORDS, record.index, ...values],
  );
  return decoded(rows, links);
}

/** Nearest first by guest: what else that guest said; of a record without a guest, whatever the workstation saw. */
async function findAround(pool: Pool, record: RecordFull): Promise<Raw[]> {
  const side = (from: string, to: string, order: string, count: number) =>
    `(SELECT ${COLUMNS} ${FROM} WHERE r.trail = $1 AND r.index BETWEEN ${from} AND ${to}
         AND ($3::text IS NULL OR r.guest = $3) ORDER BY r.index ${order} LIMIT ${count})`;
  const { rows } = await pool.query<Raw>(
    `${side(`$2::bigint - ${REACH_RECORDS}`, "$2::bigint", "DESC", AROUND + 1)} UNION ALL
     ${side("$2::bigint + 1", `$2::bigint + ${REACH_RECORDS}`, "ASC", AROUND)}`,
    [record.trail, record.index, record.guest],
  );
  return rows;
}

/** The record that says why this one's content is not here. */
async function findGap(pool: Pool, record: RecordFull): Promise<Raw[]> {
  const { rows } = await pool.query<Full>(
    `SELECT ${COLUMNS}, r.content ${FROM} WHERE r.trail = $1 AND r.index > $2 AND r.kind = 'agent.gap'
      ORDER BY r.index LIMIT 100`,
    [record.trail, record.index],
  );
  const names = (content: Buffer | null): boolean => {
    const read = content ? readContent(content) : undefined;
    const { from, to } = (read?.ok ? read.value.body : {}) as { from?: unknown; to?: unknown };
    return typeof from === "number" && typeof to === "number" && from <= record.index && record.index < to;
  };
  return rows.filter(({ content }) => names(content)).slice(0, 1);
}

async function findElsewhere(pool: Pool, record: RecordFull, links: readonly Link[]): Promise<Chapter[]> {
  const [seen, acts] = await Promise.all([findSeen(pool, record), findActs(pool, record, links)]);
  return [...seen, ...acts].sort((a, b) => (a.received < b.received ? 1 : -1)).slice(0, ELSEWHERE_MAX);
}

/** Other readings of the same bytes: the whole image, or a file of it that was not clean. */
async function findSeen(pool: Pool, record: RecordFull): Promise<Chapter[]> {
  const body = record.kind === "usb.scan" ? ScanBody.safeParse(record.body) : undefined;
  if (!body?.success) return [];
  const suspects = body.data.manifest
    .filter(({ finding, sha256 }) => finding !== "clean" && sha256 !== null)
    .slice(0, SUSPECTS_MAX)
    .map(({ sha256 }) => sha256);
  const { rows } = await pool.query<Raw & { tie: Tie }>(
    `WITH seen AS (
       (SELECT trail, index, 'image' AS tie FROM scan WHERE image_sha256 = $1 ORDER BY received DESC LIMIT $5)
       UNION ALL
       (SELECT DISTINCT f.trail, f.index, 'file' FROM manifest_file f WHERE f.sha256 = ANY($2::text[]) LIMIT $5))
     SELECT ${COLUMNS}, seen.tie ${FROM} JOIN seen ON seen.trail = r.trail AND seen.index = r.index
      WHERE (r.trail, r.index) <> ($3::int, $4::bigint) ORDER BY r.received DESC LIMIT $5`,
    [body.data.image?.sha256 ?? null, suspects, record.trail, record.index, ELSEWHERE_MAX * 2],
  );
  const found = new Map<string, Chapter>();
  for (const { tie, ...raw } of rows) {
    const key = `${raw.trail}.${raw.index}`;
    const known = found.get(key);
    if (known) known.ties.push(tie);
    else found.set(key, { ...toRow(raw, true), ties: [tie] });
  }
  return [...found.values()];
}

/** What a person did on the console that this record answers: the publication of the policy it applied. */
async function findActs(pool: Pool, record: RecordFull, links: readonly Link[]): Promise<Chapter[]> {
  const policies = links.filter(({ tie }) => tie === "policy" || tie === "command");
  if (record.workstation === null || policies.length === 0) return [];
  const { sql, values } = anyOf(policies, 2);
  const { rows } = await pool.query<Full>(
    `SELECT ${COLUMNS}, r.content ${FROM}
      WHERE t.workstation_id IS NULL AND r.trail = t.num AND r.index > t.size - $1::bigint AND ${sql}
      ORDER BY r.index DESC LIMIT ${ELSEWHERE_MAX}`,
    [REACH_RECORDS, ...values],
  );
  return decoded(rows, policies).map(({ raw, ties }) => ({ ...toRow(raw, true), ties }));
}

async function findAlerts(pool: Pool, { trail, index }: RecordFull): Promise<StoryAlert[]> {
  const { rows } = await pool.query<{ id: string; title: string; severity: number; state: string }>(
    "SELECT id, title, severity, state FROM alert WHERE trail = $1 AND index = $2 ORDER BY id DESC LIMIT 4",
    [trail, index],
  );
  return rows.map((row) => ({ ...row, id: Number(row.id), severity: SEVERITIES[row.severity] ?? "info" }));
}
