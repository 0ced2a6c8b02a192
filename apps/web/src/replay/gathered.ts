/** A part of a trail's records → rows of inputs, in one short transaction with its cursor: counted once or not at all. */
import { createHash } from "node:crypto";
import { readContent } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import {
  GATHERED,
  type Gathered,
  type GatheredRecord,
  gather,
  noPending,
  Pending,
} from "@sallyport/shared/replay/gather.ts";
import { MINUTE_MS } from "@sallyport/shared/replay/input.ts";
import type { Pool, PoolClient } from "pg";
import { findRanges, IN_RANGE, inRange } from "../trail/ranges.ts";
import { inTransaction } from "../transaction.ts";

/** Places of a trail looked at in one transaction, and bytes of contents read at most (and one record's). */
const RECORDS_MAX = 5_000;
const BYTES_MAX = 8 * 1024 * 1024;
const TRAILS_MAX = 200;
/** One worker at a time: two would only undo each other's work. */
const LOCK = 0x5a15;
const DAY_MINUTES = 1440;
/** A replay reaches back no further; also what a device said of itself is then forgotten here. */
export const DAYS_MAX = 400;
const PRUNED_ROWS = 5_000;

export type Behind = { num: number; size: number; next: number };

export async function listBehind(pool: Pool): Promise<Behind[]> {
  const { rows } = await pool.query<{ num: number; size: string; next: string }>(
    `SELECT t.num, t.size, coalesce(c.next, 0) AS next FROM trail t LEFT JOIN replay_cursor c ON c.trail = t.num
      WHERE t.workstation_id IS NOT NULL AND t.size > coalesce(c.next, 0) ORDER BY t.num LIMIT $1`,
    [TRAILS_MAX],
  );
  return rows.map(({ num, size, next }) => ({ num, size: Number(size), next: Number(next) }));
}

/** False where another is at it. */
export async function gatherTrail(pool: Pool, { num, size }: Behind): Promise<boolean> {
  return inTransaction(pool, async (tx) => {
    const lock = await tx.query<{ got: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS got", [LOCK]);
    return lock.rows[0]!.got && (await move(tx, num, size));
  });
}

async function move(tx: PoolClient, trail: number, size: number): Promise<boolean> {
  const { rows } = await tx.query<{ next: string; pending: string }>(
    "SELECT next, pending FROM replay_cursor WHERE trail = $1",
    [trail],
  );
  const from = Number(rows[0]?.next ?? 0);
  if (from >= size) return false;
  const read = Pending.safeParse(JSON.parse(rows[0]?.pending ?? "{}"));
  const pending = read.success ? read.data : noPending();
  const to = Math.min(size, from + RECORDS_MAX);
  const { records, next } = await readRecords(tx, trail, from, to);
  await store(tx, trail, gather(trail, records, pending));
  await tx.query(
    `INSERT INTO replay_cursor (trail, next, pending) VALUES ($1, $2, $3)
     ON CONFLICT (trail) DO UPDATE SET next = excluded.next, pending = excluded.pending`,
    [trail, next, JSON.stringify(pending)],
  );
  return true;
}

type Raw = {
  index: string;
  time: Date;
  kind: string;
  severity: number;
  guest: string | null;
  content: Buffer;
};

/** As many as the bytes are enough for, and the one that is too many. */
const SELECT = `SELECT index, time, kind, severity, guest, content FROM
  (SELECT r.index, r.time, r.kind, r.severity, r.guest, r.content,
          sum(octet_length(r.content)) OVER (ORDER BY r.index) AS bytes FROM record r
    WHERE ${IN_RANGE} AND r.kind = ANY($6) AND r.marked IS NULL AND r.content IS NOT NULL) found
  WHERE bytes - octet_length(content) < $7 ORDER BY index`;

/** Those whose body could be read. `next`: where the look after this one begins. */
async function readRecords(
  tx: PoolClient,
  trail: number,
  from: number,
  to: number,
): Promise<{ records: GatheredRecord[]; next: number }> {
  const rows: Raw[] = [];
  let bytes = 0;
  for (const range of await findRanges(tx, trail, from, to)) {
    const some = await tx.query<Raw>(SELECT, [...inRange(trail, range), [...GATHERED], BYTES_MAX - bytes]);
    rows.push(...some.rows);
    bytes += some.rows.reduce((sum, { content }) => sum + content.length, 0);
    if (bytes >= BYTES_MAX) break;
  }
  const records = rows.flatMap((raw): GatheredRecord[] => {
    const content = readContent(raw.content);
    const body = content.ok ? bodySchema(raw.kind)?.safeParse(content.value.body) : undefined;
    if (!body?.success) return [];
    const { kind, severity, guest } = raw;
    const at = { index: Number(raw.index), timeMs: raw.time.getTime() };
    return [{ ...at, kind, severity, guest: guest ?? "", body: body.data }];
  });
  const last = rows.at(-1);
  return { records, next: last && bytes >= BYTES_MAX ? Number(last.index) + 1 : to };
}

type NewInput = { kind: string; body: string; lastBucket: number };
/** An input's row is touched once a day at most. */
const dayOf = (bucket: number): number => Math.floor(bucket / DAY_MINUTES) * DAY_MINUTES;

type Counted = Omit<Gathered, "input"> & { hash: string };

/** What was seen several times in a bucket is one row. */
async function store(tx: PoolClient, trail: number, found: readonly Gathered[]): Promise<void> {
  if (found.length === 0) return;
  const inputs = new Map<string, NewInput>();
  const counted = new Map<string, Counted>();
  for (const { input, ...row } of found) {
    const body = JSON.stringify(input);
    const hash = createHash("sha256").update(body).digest("hex");
    const lastBucket = Math.max(dayOf(row.bucket), inputs.get(hash)?.lastBucket ?? 0);
    inputs.set(hash, { kind: input.kind, body, lastBucket });
    const key = `${row.bucket} ${hash} ${row.guest}`;
    const before = counted.get(key);
    counted.set(key, before ? { hash, ...sum(before, row) } : { hash, ...row });
  }
  const ids = await storeInputs(tx, inputs);
  const rows = [...counted.values()];
  await tx.query(
    `INSERT INTO replay_seen AS s (trail, bucket, input, guest, count, bytes, first_index, last_index, first_ms, last_ms)
     SELECT $1, r.* FROM unnest($2::int[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                                $8::bigint[], $9::int[], $10::int[]) r
     ON CONFLICT (trail, bucket, input, guest) DO UPDATE SET
       count = s.count + excluded.count, bytes = s.bytes + excluded.bytes,
       first_index = least(s.first_index, excluded.first_index), last_index = greatest(s.last_index, excluded.last_index),
       first_ms = least(s.first_ms, excluded.first_ms), last_ms = greatest(s.last_ms, excluded.last_ms)`,
    [
      trail,
      rows.map(({ bucket }) => bucket),
      rows.map(({ hash }) => ids.get(hash)),
      rows.map(({ guest }) => guest),
      rows.map(({ count }) => count),
      rows.map(({ bytes }) => bytes),
      rows.map(({ firstIndex }) => firstIndex),
      rows.map(({ lastIndex }) => lastIndex),
      rows.map(({ firstMs }) => Math.floor(firstMs)),
      rows.map(({ lastMs }) => Math.floor(lastMs)),
    ],
  );
}

const sum = (a: Omit<Counted, "hash">, b: Omit<Counted, "hash">) => ({
  ...a,
  count: a.count + b.count,
  bytes: a.bytes + b.bytes,
  firstIndex: Math.min(a.firstIndex, b.firstIndex),
  lastIndex: Math.max(a.lastIndex, b.lastIndex),
  firstMs: Math.min(a.firstMs, b.firstMs),
  lastMs: Math.max(a.lastMs, b.lastMs),
});

/** Each input's id, by its hash. */
async function storeInputs(tx: PoolClient, inputs: ReadonlyMap<string, NewInput>): Promise<Map<string, string>> {
  const hashes = [...inputs.keys()].sort();
  const all = hashes.map((hash) => inputs.get(hash)!);
  await tx.query(
    `INSERT INTO replay_input AS i (hash, kind, body, last_bucket)
     SELECT decode(r.hash, 'hex'), r.kind, r.body, r.last_bucket
       FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS r (hash, kind, body, last_bucket)
     ON CONFLICT (hash) DO UPDATE SET last_bucket = excluded.last_bucket WHERE i.last_bucket < excluded.last_bucket`,
    [hashes, all.map(({ kind }) => kind), all.map(({ body }) => body), all.map(({ lastBucket }) => lastBucket)],
  );
  const { rows } = await tx.query<{ id: string; hash: string }>(
    `SELECT i.id, r.hash FROM unnest($1::text[]) AS r (hash) JOIN replay_input i ON i.hash = decode(r.hash, 'hex')`,
    [hashes],
  );
  return new Map(rows.map(({ id, hash }) => [hash, id]));
}

/** Rows older than a replay reaches, trail by trail; then inputs that no row can be of any more. How many rows went. */
export async function pruneInputs(pool: Pool, nowMs: number, signal: AbortSignal): Promise<number> {
  const before = Math.floor(nowMs / MINUTE_MS) - DAYS_MAX * DAY_MINUTES;
  let gone = 0;
  const { rows } = await pool.query<{ trail: number }>("SELECT trail FROM replay_cursor ORDER BY trail");
  for (const { trail } of rows)
    gone += await deleted(pool, signal, "replay_seen", "trail = $1 AND bucket < $2", [trail, before]);
  return gone + (await deleted(pool, signal, "replay_input", "last_bucket < $1", [before - DAY_MINUTES]));
}

async function deleted(
  pool: Pool,
  signal: AbortSignal,
  table: "replay_seen" | "replay_input",
  which: string,
  values: number[],
): Promise<number> {
  let gone = 0;
  for (let full = true; full && !signal.aborted; ) {
    const { rowCount } = await pool.query(
      `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${table} WHERE ${which} LIMIT ${PRUNED_ROWS}))`,
      values,
    );
    gone += rowCount ?? 0;
    full = rowCount === PRUNED_ROWS;
  }
  return gone;
}
