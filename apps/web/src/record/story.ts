/** The story of one record ↔ Postgres: what ties to it on its own trail, what stands around it on that workstation and
 *  guest, where else in the fleet it was seen, and the alert it raised. Each part is bounded; none reads a whole trail. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Pool } from "pg";
import { findRanges, IN_RANGE, inRange, type Range } from "../trail/ranges.ts";
import { type Link, linksOf, type Tie, tiesOf } from "./links.ts";
import { COLUMNS, FROM, getRecord, type Raw, type RecordFull, type RecordRow, toRow } from "./store.ts";

/** How far along its trail tied records are looked for, either way: a few minutes of a busy machine. */
const REACH_RECORDS = 3_000;
const TIED_MAX = 24;
/** On the same workstation and guest, before and after. */
const AROUND = 4;
const ELSEWHERE_MAX = 12;
const SUSPECTS_MAX = 50;
/** Of each of them, elsewhere. */
const SIGHTINGS_MAX = 24;
/** Ranges of a trail, each one statement: of a trail that says little, three thousand records lie in as many partitions
 *  as there are. */
const RANGES_MAX = 64;
/** A gap is told when a spool is full: what it names lies as far back as the spool held. */
const GAP_REACH_RECORDS = 200_000;

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
    // an alert's title is its record's line
    contents ? findAlerts(pool, record) : [],
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
  const { sql, values } = anyOf(links, 7);
  const found: Full[] = [];
  const ranges = await findRanges(
    pool,
    record.trail,
    Math.max(0, record.index - REACH_RECORDS),
    record.index + REACH_RECORDS + 1,
  );
  const away = ({ index }: Full) => Math.abs(Number(index) - record.index);
  for (const range of nearest(ranges, record.index)) {
    const last = found[TIED_MAX - 1];
    if (last && away(last) <= distance(range, record.index)) break;
    const { rows } = await pool.query<Full>(
      `SELECT ${COLUMNS}, r.content ${FROM} WHERE ${IN_RANGE} AND r.index <> $6::bigint AND ${sql}
        ORDER BY abs(r.index - $6::bigint) LIMIT ${TIED_MAX}`,
      [...inRange(record.trail, range), record.index, ...values],
    );
    found.push(...rows);
    found.sort((a, b) => away(a) - away(b));
  }
  return decoded(found.slice(0, TIED_MAX), links);
}

/** The range that holds a record, then those beside it, each further off than the one before. */
function nearest(ranges: readonly Range[], index: number): Range[] {
  return [...ranges].sort((a, b) => distance(a, index) - distance(b, index)).slice(0, RANGES_MAX);
}

const distance = ({ from, to }: Range, index: number): number => Math.max(from - index, index - (to - 1), 0);

/** Nearest first by guest: what else that guest said; of a record without a guest, whatever the workstation saw. */
async function findAround(pool: Pool, { trail, index, guest }: RecordFull): Promise<Raw[]> {
  const side = async (ranges: Range[], order: "ASC" | "DESC", count: number): Promise<Raw[]> => {
    const found: Raw[] = [];
    for (const range of nearest(ranges, index)) {
      const { rows } = await pool.query<Raw>(
        `SELECT ${COLUMNS} ${FROM} WHERE ${IN_RANGE} AND ($6::text IS NULL OR r.guest = $6::text)
          ORDER BY r.index ${order} LIMIT $7::int`,
        [...inRange(trail, range), guest, count - found.length],
      );
      found.push(...rows);
      if (found.length >= count) break;
    }
    return found;
  };
  const before = await findRanges(pool, trail, Math.max(0, index - REACH_RECORDS), index + 1);
  const after = await findRanges(pool, trail, index + 1, index + 1 + REACH_RECORDS);
  return [...(await side(before, "DESC", AROUND + 1)), ...(await side(after, "ASC", AROUND))];
}

/** The record that says why this one's content is not here. */
async function findGap(pool: Pool, record: RecordFull): Promise<Raw[]> {
  const names = ({ content }: Full): boolean => {
    const read = content ? readContent(content) : undefined;
    const { from, to } = (read?.ok ? read.value.body : {}) as { from?: unknown; to?: unknown };
    return typeof from === "number" && typeof to === "number" && from <= record.index && record.index < to;
  };
  const ranges = await findRanges(pool, record.trail, record.index + 1, record.index + 1 + GAP_REACH_RECORDS);
  for (const range of ranges.slice(0, RANGES_MAX)) {
    const { rows } = await pool.query<Full>(
      `SELECT ${COLUMNS}, r.content ${FROM} WHERE ${IN_RANGE} AND r.kind = 'agent.gap' ORDER BY r.index LIMIT 100`,
      inRange(record.trail, range),
    );
    const found = rows.find(names);
    if (found) return [found];
  }
  return [];
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
  const seen = await pool.query<{ trail: number; index: string; received: Date; tie: Tie }>(
    `(SELECT trail, index, received, 'image' AS tie FROM scan
       WHERE image_sha256 = $1 AND (trail, index) <> ($3::int, $4::bigint) ORDER BY received DESC LIMIT $5)
     UNION ALL
     (SELECT DISTINCT s.trail, s.index, s.received, 'file'
        FROM unnest($2::text[]) AS suspect (sha256)
        CROSS JOIN LATERAL (SELECT f.trail, f.index FROM manifest_file f WHERE f.sha256 = suspect.sha256 LIMIT $6) f
        JOIN scan s ON s.trail = f.trail AND s.index = f.index
       WHERE (s.trail, s.index) <> ($3::int, $4::bigint) ORDER BY s.received DESC LIMIT $5)`,
    [body.data.image?.sha256 ?? null, suspects, record.trail, record.index, ELSEWHERE_MAX, SIGHTINGS_MAX],
  );
  // `received` as values: only the partitions that hold these are planned for
  const records = await pool.query<Raw>(
    `SELECT ${COLUMNS} ${FROM} WHERE r.received = ANY($1::timestamptz[])
        AND (r.trail, r.index) IN (SELECT * FROM unnest($2::int[], $3::bigint[]))`,
    [
      seen.rows.map(({ received }) => received),
      seen.rows.map(({ trail }) => trail),
      seen.rows.map(({ index }) => index),
    ],
  );
  const keyOf = ({ trail, index }: { trail: number; index: string }) => `${trail}.${index}`;
  const raws = new Map(records.rows.map((raw) => [keyOf(raw), raw]));
  const found = new Map<string, Chapter>();
  for (const each of seen.rows) {
    const key = keyOf(each);
    const known = found.get(key);
    const raw = raws.get(key);
    if (known) known.ties.push(each.tie);
    else if (raw) found.set(key, { ...toRow(raw, true), ties: [each.tie] });
  }
  return [...found.values()];
}

/** What a person did on the console that this record answers: the publication of the policy it applied. */
async function findActs(pool: Pool, record: RecordFull, links: readonly Link[]): Promise<Chapter[]> {
  const policies = links.filter(({ tie }) => tie === "policy" || tie === "command");
  if (record.workstation === null || policies.length === 0) return [];
  const { sql, values } = anyOf(policies, 6);
  const trails = await pool.query<{ num: number; size: string }>(
    "SELECT num, size FROM trail WHERE workstation_id IS NULL ORDER BY num DESC LIMIT 4",
  );
  const found: Full[] = [];
  for (const { num, size } of trails.rows) {
    const ranges = await findRanges(pool, num, Math.max(0, Number(size) - REACH_RECORDS), Number(size));
    for (const range of nearest(ranges, Number(size))) {
      const { rows } = await pool.query<Full>(
        `SELECT ${COLUMNS}, r.content ${FROM} WHERE ${IN_RANGE} AND ${sql} ORDER BY r.index DESC LIMIT ${ELSEWHERE_MAX}`,
        [...inRange(num, range), ...values],
      );
      found.push(...rows);
      if (found.length >= ELSEWHERE_MAX) break;
    }
  }
  return decoded(found, policies).map(({ raw, ties }) => ({ ...toRow(raw, true), ties }));
}

async function findAlerts(pool: Pool, { trail, index }: RecordFull): Promise<StoryAlert[]> {
  const { rows } = await pool.query<{ id: string; title: string; severity: number; state: string }>(
    "SELECT id, title, severity, state FROM alert WHERE trail = $1 AND index = $2 ORDER BY id DESC LIMIT 4",
    [trail, index],
  );
  return rows.map((row) => ({ ...row, id: Number(row.id), severity: SEVERITIES[row.severity] ?? "info" }));
}
