/** record_partition → windows of `received`, newest first, in which a list looks for its rows. One statement over all of
 *  `record` would lock every partition there is before it reads one row. */
import type { Pool } from "pg";

/** From `from` (inclusive) to `to` (exclusive). */
export type Window = { from: Date; to: Date };

/** The first window is likely to hold a page: what is in use, what is opened ahead, and what was last. Further ones are
 *  wider, as a search that finds little goes far back; each locks seven relations a partition. */
const PARTITIONS_FIRST = 6;
const PARTITIONS_MAX = 24;

const NEWEST = `SELECT min(received_from) AS "from", max(received_to) AS "to" FROM (
  SELECT received_from, received_to FROM record_partition
   WHERE received_from < coalesce($1::timestamptz, 'infinity') AND received_to > coalesce($2::timestamptz, '-infinity')
   ORDER BY received_from DESC LIMIT $3) newest`;

/** Those that hold what was received from `since` (inclusive) to `until` (exclusive); either may be left open. */
export async function* windows(
  pool: Pool,
  since: string | undefined,
  until: string | undefined,
): AsyncGenerator<Window, void> {
  let before: string | Date | undefined = until;
  for (let count = PARTITIONS_FIRST; ; count = Math.min(count * 2, PARTITIONS_MAX)) {
    const found: Window | undefined = await newest(pool, since, before, count);
    if (!found) return;
    yield found;
    before = found.from;
  }
}

async function newest(
  pool: Pool,
  since: string | undefined,
  until: string | Date | undefined,
  count: number,
): Promise<Window | undefined> {
  const { rows } = await pool.query<{ from: Date | null; to: Date | null }>(NEWEST, [
    until ?? null,
    since ?? null,
    count,
  ]);
  const [found] = rows;
  return found?.from && found.to ? { from: found.from, to: found.to } : undefined;
}
