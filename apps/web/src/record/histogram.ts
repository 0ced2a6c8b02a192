/** How many records match, over time ↔ Postgres. Newest first and for a bounded time, some partitions a statement: what
 *  was not reached is told, never guessed. A sealed partition that lies in one bar was counted when it was sealed. */
import type { Pool } from "pg";
import { inTransaction } from "../transaction.ts";
import { barAt, barsOf } from "./bars.ts";
import type { Filter } from "./filter.ts";
import { where } from "./store.ts";
import type { Window } from "./windows.ts";

/** Of all statements together. A person waits so long for bars, and the database no longer. */
const COUNT_MS_MAX = 2_500;
/** As a list's windows: the newest alone, further ones wider; each locks seven relations a partition. */
const PARTITIONS_MAX = 24;
/** Where the oldest record is looked for: partitions may be empty. */
const OLDEST_PARTITIONS = 6;
const QUERY_CANCELLED = "57014";

export type Histogram = {
  /** When the first bar begins. */
  from: string;
  stepMs: number;
  /** One a bar. */
  counts: number[];
  /** Only what was received from here on was counted; null where all was. */
  countedFrom: string | null;
};

type Part = Window & { sealed: boolean; records: number };

export async function countOverTime(
  pool: Pool,
  filter: Filter,
  now: Date,
  { signal, msMax = COUNT_MS_MAX }: { signal?: AbortSignal | undefined; msMax?: number } = {},
): Promise<Histogram> {
  const parts = await listParts(pool, filter);
  const untilMs = filter.until ? Date.parse(filter.until) : now.getTime();
  const sinceMs = Math.min(filter.since ? Date.parse(filter.since) : await oldest(pool, parts, now), untilMs);
  const bars = barsOf(sinceMs, untilMs);
  const counts = new Array<number>(bars.count).fill(0);
  const add = (ms: number, records: number) => {
    counts[barAt(bars, ms)]! += records;
  };
  const isWhole = ({ from, to, sealed }: Part) =>
    sealed &&
    from.getTime() >= (filter.since ? sinceMs : 0) &&
    to.getTime() <= untilMs &&
    barAt(bars, from.getTime()) === barAt(bars, to.getTime() - 1);
  const { sql, values } = where(filter, 5);
  const { since: _since, until: _until, ...what } = filter;
  const known = where(what).sql.length === 0 ? parts.filter(isWhole) : [];
  for (const { from, records } of known) add(from.getTime(), records);
  const done = (countedFrom: Date | null): Histogram => ({
    ...{ from: new Date(bars.fromMs).toISOString(), stepMs: bars.stepMs, counts },
    countedFrom: countedFrom?.toISOString() ?? null,
  });
  const started = performance.now();
  for (const { from, to } of together(parts.filter((part) => !known.includes(part)))) {
    const left = Math.floor(msMax - (performance.now() - started));
    if (left <= 0 || signal?.aborted) return done(to);
    const found = await inTransaction(pool, async (tx) => {
      await tx.query(`SET LOCAL statement_timeout = ${left}`);
      return tx.query<{ at: Date; n: string }>(
        `SELECT date_bin($3::interval, r.received, $4::timestamptz) AS at, count(*) AS n FROM record r
          WHERE ${["r.received >= $1::timestamptz AND r.received < $2::timestamptz", ...sql].join(" AND ")} GROUP BY 1`,
        [from, to, `${bars.stepMs} milliseconds`, new Date(bars.fromMs), ...values],
      );
    }).catch((error: { code?: string }) => {
      if (error.code === QUERY_CANCELLED) return undefined; // took longer than what was left
      throw error;
    });
    if (!found) return done(to);
    for (const { at, n } of found.rows) add(at.getTime(), Number(n));
  }
  return done(null);
}

/** Newest first. */
async function listParts(pool: Pool, { since, until }: Filter): Promise<Part[]> {
  const { rows } = await pool.query<{ from: Date; to: Date; sealed: boolean; records: string }>(
    `SELECT received_from AS "from", received_to AS "to", sealed_at IS NOT NULL AS sealed, records FROM record_partition
      WHERE received_from < coalesce($1::timestamptz, 'infinity') AND received_to > coalesce($2::timestamptz, '-infinity')
      ORDER BY received_from DESC`,
    [until ?? null, since ?? null],
  );
  return rows.map((row) => ({ ...row, records: Number(row.records) }));
}

async function oldest(pool: Pool, parts: readonly Part[], now: Date): Promise<number> {
  const [newest, first] = [parts.slice(-OLDEST_PARTITIONS)[0], parts.at(-1)];
  if (!newest || !first) return now.getTime();
  const { rows } = await pool.query<{ oldest: Date | null }>(
    "SELECT min(received) AS oldest FROM record WHERE received >= $1::timestamptz AND received < $2::timestamptz",
    [first.from, newest.to],
  );
  return (rows[0]?.oldest ?? first.from).getTime();
}

/** Partitions that follow one another, more and more of them at once. */
function* together(parts: readonly Part[]): Generator<Window, void> {
  let found: Window | undefined;
  let [held, size] = [0, 1];
  for (const { from, to } of parts) {
    if (found && held < size && found.from.getTime() === to.getTime()) {
      found = { from, to: found.to };
      held++;
      continue;
    }
    if (found) yield found;
    if (found) size = Math.min(size * 2, PARTITIONS_MAX);
    found = { from, to };
    held = 1;
  }
  if (found) yield found;
}
