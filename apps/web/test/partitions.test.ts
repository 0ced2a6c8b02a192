/** Partitions come and go beside a reader that takes hours: an export, a backup. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { listPartitions, openPartitions, splitFull } from "../src/ingest/partitions.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function besideReader<T>(act: () => Promise<T>): Promise<T> {
  const reader = await pool.connect();
  try {
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    await reader.query("SELECT 1 FROM record LIMIT 1");
    return await act();
  } finally {
    await reader.query("ROLLBACK");
    reader.release();
  }
}

const insert = (index: number) =>
  pool.query(
    `INSERT INTO record (trail, index, received, time, kind, severity, text, content_hash)
     VALUES (1, $1, clock_timestamp(), now(), 'guest.log', 0, 'a line', '')`,
    [index],
  );

test("new partitions are there, with their indexes, while somebody reads", async () => {
  const made = await besideReader(() => openPartitions(pool));
  expect(made.length).toBeGreaterThan(1);
  const { rows } = await pool.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent IN ('record'::regclass, 'record_pkey'::regclass, 'record_trail_index_idx'::regclass)",
  );
  expect(rows[0]!.n).toBe(made.length * 3);
  await insert(0);
}, 60_000);

test("a full partition waits for the reader, holds up no record meanwhile, and is split afterwards", async () => {
  const before = await openPartitions(pool);
  await pool.query("UPDATE record_partition SET records = 9 WHERE received_from <= now() AND received_to > now()");
  await besideReader(async () => {
    const [split] = await Promise.all([splitFull(pool, 1), insert(1), insert(2)]);
    expect(split).toBe(false);
  });
  expect(await listPartitions(pool)).toEqual(before);
  expect(await splitFull(pool, 1)).toBe(true);
  expect(await listPartitions(pool)).toHaveLength(before.length + 1);
  await insert(3);
}, 60_000);
