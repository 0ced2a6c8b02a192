/** Partitions of `record` by `received`: opened ahead, sealed by age or size, indexed for search once sealed. */
import type { Pool, PoolClient } from "pg";
import { inTransaction } from "../transaction.ts";
import { ENDS } from "./fault.ts";

/** A partition spans this long unless it fills earlier. */
const SPAN_MS = 6 * 3_600_000;
/** So many beyond the one in use exist already, so that a slow start never meets a missing one. */
const AHEAD = 3;
/** A partition with more records than this is closed early: the open one has no search index. */
export const RECORDS_MAX = 4_000_000;
/** Commits that were under way when the span ended are over by then. */
const SEAL_AFTER_MS = 60_000;
/** One process at a time changes partitions. */
const LOCK = 0x5a14;
const SPLIT_LOCK = 0x5a15;
/** A partition that is split ends so long from now: time to read it all beforehand, and, should a reader come in between,
 *  to take the check back before a record meets it. */
const SPLIT_AHEAD_MS = 10 * 60_000;
/** Whoever waits for a lock on `record` holds up every COPY and every page behind it: better to give up, and try again
 *  at the next look. */
const LOCK_WAIT_MS_MAX = 1_000;
/** Postgres' word for a lock that was not had in time. */
const LOCK_NOT_AVAILABLE = "55P03";

export type Partition = { name: string; fromMs: number; toMs: number; sealed: boolean };

type Raw = { name: string; received_from: Date; received_to: Date; sealed_at: Date | null };
const toPartition = (raw: Raw): Partition => ({
  name: raw.name,
  fromMs: raw.received_from.getTime(),
  toMs: raw.received_to.getTime(),
  sealed: raw.sealed_at !== null,
});

export async function listPartitions(db: Pool | PoolClient): Promise<Partition[]> {
  const { rows } = await db.query<Raw>(
    "SELECT name, received_from, received_to, sealed_at FROM record_partition ORDER BY received_from",
  );
  return rows.map(toPartition);
}

/** When a commit at `nowMs` is received, and where that lies: never before the first partition that is not sealed, so
 *  that a clock that jumped back neither misses a partition nor writes into a sealed one. Pure. */
export function place(
  partitions: readonly Partition[],
  nowMs: number,
): { receivedMs: number; name: string } | undefined {
  const sealedTo = partitions.findLast(({ sealed }) => sealed)?.toMs ?? partitions[0]?.fromMs;
  if (sealedTo === undefined) return undefined;
  const receivedMs = Math.max(nowMs, sealedTo);
  const found = partitions.find(({ fromMs, toMs }) => fromMs <= receivedMs && receivedMs < toMs);
  return found && { receivedMs, name: found.name };
}

const nameOf = (fromMs: number): string => `record_${new Date(fromMs).toISOString().replace(/\D/g, "")}`;

/** Made apart and then attached: that goes on beside an export, a backup and a COPY. `PARTITION OF` would wait for all
 *  of them to end. */
async function create(tx: PoolClient, fromMs: number, toMs: number): Promise<void> {
  const name = nameOf(fromMs);
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  await tx.query(`CREATE TABLE "${name}" (LIKE record INCLUDING ALL)`);
  await tx.query(`ALTER TABLE record ATTACH PARTITION "${name}" FOR VALUES FROM ('${from}') TO ('${to}')`);
  await tx.query("INSERT INTO record_partition (name, received_from, received_to) VALUES ($1, $2, $3)", [
    name,
    from,
    to,
  ]);
}

/** Runs `act` in a transaction under the partitions' lock. */
async function changing<T>(pool: Pool, act: (tx: PoolClient) => Promise<T>): Promise<T> {
  return inTransaction(pool, async (tx) => {
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]); // holds up nobody: without a bound
    await tx.query(`SET LOCAL lock_timeout = ${LOCK_WAIT_MS_MAX}`);
    return act(tx);
  });
}

/** Makes sure the partition for now and the ones after it exist. A clock that jumped ahead leaves no hole: the next
 *  partition begins where the last one ends. */
export async function openPartitions(pool: Pool): Promise<Partition[]> {
  const { rows } = await pool.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const nowMs = rows[0]!.now.getTime();
  const before = await listPartitions(pool);
  if (nowMs + AHEAD * SPAN_MS < (before.at(-1)?.toMs ?? 0)) return before;
  return changing(pool, async (tx) => {
    const all = await listPartitions(tx);
    const floor = Math.floor(nowMs / SPAN_MS) * SPAN_MS;
    const wanted = Math.max(floor, all.findLast(({ sealed }) => sealed)?.toMs ?? 0) + (AHEAD + 1) * SPAN_MS;
    let end = all.at(-1)?.toMs ?? floor;
    if (end < floor) {
      await create(tx, end, floor); // long off: one partition covers the silence
      end = floor;
    }
    for (; end < wanted; end += SPAN_MS) await create(tx, end, end + SPAN_MS);
    return listPartitions(tx);
  });
}

/** Ends the partition in use, where it has grown past `recordsMax`, a while from now, and opens another for the rest of
 *  its span. False also where somebody reads for so long that it would have to wait: a larger partition is slower to
 *  search, and no worse. */
export async function splitFull(
  pool: Pool,
  recordsMax: number = RECORDS_MAX,
  aheadMs: number = SPLIT_AHEAD_MS,
): Promise<boolean> {
  return alone(pool, async (client) => {
    await dropEnds(client);
    const { rows } = await client.query<{ name: string; received_from: Date; boundary: Date }>(
      `SELECT name, received_from,
              date_trunc('milliseconds', clock_timestamp()) + $2::int * interval '1 millisecond' AS boundary
         FROM record_partition
        WHERE sealed_at IS NULL AND records > $1 AND received_from <= clock_timestamp()
          AND received_to > clock_timestamp() + 2 * $2::int * interval '1 millisecond'`,
      [recordsMax, aheadMs],
    );
    const [full] = rows;
    if (!full) return false;
    const [from, to] = [full.received_from.toISOString(), full.boundary.toISOString()];
    try {
      await client.query(
        `ALTER TABLE "${full.name}" ADD CONSTRAINT ${ENDS} CHECK (received >= '${from}' AND received < '${to}') NOT VALID`,
      );
      await client.query(`ALTER TABLE "${full.name}" VALIDATE CONSTRAINT ${ENDS}`); // reads all of it, beside every COPY
      await changing(pool, (tx) => split(tx, full.name, from, full.boundary));
      return true;
    } catch (error) {
      await dropEnds(client);
      const { code, constraint } = error as { code?: string; constraint?: string };
      // a reader, or a record from a clock that is ahead of the boundary
      if (code === LOCK_NOT_AVAILABLE || constraint === ENDS) return false;
      throw error;
    }
  });
}

/** One process at a time splits, with statements that each stand alone. False where another is at it. */
async function alone(pool: Pool, act: (client: PoolClient) => Promise<boolean>): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const { rows } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [SPLIT_LOCK]);
    if (!rows[0]!.got) return false;
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS_MAX}`);
    const done = await act(client);
    await client.query("RESET lock_timeout");
    await client.query("SELECT pg_advisory_unlock($1)", [SPLIT_LOCK]);
    return done;
  } catch (error) {
    broken = error as Error; // the lock goes with the connection
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Takes back the end that a split announced and did not come to, be it of a process that is gone. Where a reader is in
 *  the way the next look tries again. */
async function dropEnds(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE conname = $1",
    [ENDS],
  );
  for (const { name } of rows)
    await client.query(`ALTER TABLE ${name} DROP CONSTRAINT ${ENDS}`).catch((error: { code?: string }) => {
      if (error.code !== LOCK_NOT_AVAILABLE) throw error;
    });
}

/** The check on what is attached again says what its bounds will: Postgres need not read it while everybody waits. */
async function split(tx: PoolClient, full: string, from: string, boundary: Date): Promise<void> {
  await tx.query("LOCK TABLE ONLY record IN ACCESS EXCLUSIVE MODE");
  const found = await tx.query<Raw>("SELECT * FROM record_partition WHERE name = $1", [full]);
  const part = toPartition(found.rows[0]!);
  const to = boundary.toISOString();
  await tx.query(`ALTER TABLE record DETACH PARTITION "${full}"`);
  await tx.query(`ALTER TABLE record ATTACH PARTITION "${full}" FOR VALUES FROM ('${from}') TO ('${to}')`);
  await tx.query(`ALTER TABLE "${full}" DROP CONSTRAINT ${ENDS}`);
  await tx.query("UPDATE record_partition SET received_to = $2 WHERE name = $1", [full, to]);
  await create(tx, boundary.getTime(), part.toMs);
}

/** What search needs of a sealed partition. */
const searchIndexes = (name: string): string[] => [
  `CREATE INDEX IF NOT EXISTS "${name}_text" ON "${name}" USING gin (text gin_trgm_ops)`,
  `CREATE INDEX IF NOT EXISTS "${name}_kind" ON "${name}" (kind, received DESC)`,
  `CREATE INDEX IF NOT EXISTS "${name}_severity" ON "${name}" (severity, received DESC)`,
  `CREATE INDEX IF NOT EXISTS "${name}_guest" ON "${name}" (guest, received DESC) WHERE guest IS NOT NULL`,
];

/** Seals partitions whose time is over: search indexes built in bulk, claimed times and counts made final. */
export async function sealEnded(pool: Pool, afterMs = SEAL_AFTER_MS): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT name FROM record_partition WHERE sealed_at IS NULL
        AND received_to < clock_timestamp() - $1::int * interval '1 ms' ORDER BY received_from`,
    [afterMs],
  );
  for (const { name } of rows) {
    await changing(pool, async (tx) => {
      await tx.query("SET LOCAL maintenance_work_mem = '128MB'");
      for (const statement of searchIndexes(name)) await tx.query(statement);
      await tx.query(
        `UPDATE record_partition SET sealed_at = now(),
           (records, time_min, time_max) = (SELECT count(*), min(time), max(time) FROM "${name}") WHERE name = $1`,
        [name],
      );
    });
    await pool.query(`ANALYZE "${name}"`);
  }
  return rows.map(({ name }) => name);
}
