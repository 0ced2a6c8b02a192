/** record_range, record_partition → where records of a trail lie. `record` is partitioned by `received`: a look-up by trail
 *  and index alone would plan over, and lock, every partition there is, so each asks here first and then reads partition by
 *  partition, in statements of their own. */
import type { ClientBase, Pool, QueryResultRow } from "pg";

export type Asked = Pool | ClientBase;

/** Records `from` (inclusive) to `to` (exclusive) lie in this partition, which holds what was received from `receivedFrom`
 *  (inclusive) to `receivedTo` (exclusive). */
export type Range = {
  from: number;
  to: number;
  /** Where the range that this is cut from begins. */
  begins: number;
  partition: string;
  receivedFrom: Date;
  receivedTo: Date;
};

type Raw = { from: string; to: string; partition: string; received_from: Date; received_to: Date };

/** Of [from, to) of a trail, in order of index, cut to it. What retention dropped is in none. The subquery finds the one
 *  range that begins before `from`: the ranges of a trail lie one behind the other, and a trail of years has thousands. */
const FIND = `SELECT r."from", r."to", r.partition, p.received_from, p.received_to
  FROM record_range r JOIN record_partition p ON p.name = r.partition
 WHERE r.trail = $1::int AND r."to" > $2::bigint AND r."from" < $3::bigint
   AND r."from" >= coalesce((SELECT max(b."from") FROM record_range b WHERE b.trail = $1::int AND b."from" <= $2::bigint), 0)
 ORDER BY r."from"`;

export async function findRanges(db: Asked, trail: number, from: number, to: number): Promise<Range[]> {
  if (from >= to) return [];
  const { rows } = await db.query<Raw>(FIND, [trail, from, to]);
  return rows.map((raw) => ({
    from: Math.max(from, Number(raw.from)),
    to: Math.min(to, Number(raw.to)),
    begins: Number(raw.from),
    partition: raw.partition,
    receivedFrom: raw.received_from,
    receivedTo: raw.received_to,
  }));
}

/** The WHERE that holds a statement to one partition, of `record` under the alias `r`: its values are the first five. They
 *  are known when the statement is planned, so only that partition is locked. */
export const IN_RANGE =
  "r.trail = $1::int AND r.index >= $2::bigint AND r.index < $3::bigint AND r.received >= $4::timestamptz AND r.received < $5::timestamptz";

export const inRange = (trail: number, { from, to, receivedFrom, receivedTo }: Range): unknown[] => [
  trail,
  from,
  to,
  receivedFrom,
  receivedTo,
];

/** Rows of these ranges of a trail, in order of index. `select` ends in `WHERE`, IN_RANGE and whatever more is wanted. */
export async function readRanges<Row extends QueryResultRow>(
  db: Asked,
  trail: number,
  ranges: readonly Range[],
  select: string,
): Promise<Row[]> {
  const found: Row[] = [];
  for (const range of ranges)
    found.push(...(await db.query<Row>(`${select} ORDER BY r.index`, inRange(trail, range))).rows);
  return found;
}

/** The record itself is in `record` already, written by the same transaction: so no split of its partition comes between. */
const GROW = `WITH made AS (SELECT $1::int AS trail, $2::bigint AS index, $3::text AS partition),
  grown AS (UPDATE record_range r SET "to" = made.index + 1 FROM made
             WHERE r.trail = made.trail AND r."to" = made.index AND r.partition = made.partition
               AND r."from" = (SELECT max(b."from") FROM record_range b WHERE b.trail = $1::int) RETURNING 1)
  INSERT INTO record_range (trail, "from", "to", partition)
  SELECT trail, index, index + 1, partition FROM made WHERE NOT EXISTS (SELECT 1 FROM grown)`;

/** The newest record of a trail was put into `partition`. */
export async function growRange(tx: ClientBase, trail: number, index: number, partition: string): Promise<void> {
  await tx.query(GROW, [trail, index, partition]);
}

/** What lies in one partition, of several trails. */
export type Share = { from: Date; to: Date; ranges: { trail: number; from: number; to: number }[] };

type Moved = { trail: number; from: number; to: number };

/** Where index ranges of many trails lie, by partition, newest first; of each trail the newest `recordsMax` alone. */
export async function findMoved(db: Asked, moved: readonly Moved[], recordsMax: number): Promise<Share[]> {
  const from = moved.map((each) => Math.max(each.from, each.to - recordsMax));
  const { rows } = await db.query<Raw & { trail: number }>(
    `SELECT m.trail, greatest(m."from", r."from") AS "from", least(m."to", r."to") AS "to", r.partition,
            p.received_from, p.received_to
       FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS m (trail, "from", "to")
       JOIN LATERAL (SELECT * FROM record_range r WHERE r.trail = m.trail AND r."to" > m."from" AND r."from" < m."to"
              AND r."from" >= coalesce((SELECT max(b."from") FROM record_range b
                                         WHERE b.trail = m.trail AND b."from" <= m."from"), 0)) r ON true
       JOIN record_partition p ON p.name = r.partition
      ORDER BY p.received_from DESC`,
    [moved.map(({ trail }) => trail), from, moved.map(({ to }) => to)],
  );
  const shares = new Map<string, Share>();
  for (const row of rows) {
    const share = shares.get(row.partition) ?? { from: row.received_from, to: row.received_to, ranges: [] };
    share.ranges.push({ trail: row.trail, from: Number(row.from), to: Number(row.to) });
    shares.set(row.partition, share);
  }
  return [...shares.values()];
}
