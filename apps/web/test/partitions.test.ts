/** Partitions come and go beside a reader that takes hours: an export, a backup. */
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { isRowsFault } from "../src/ingest/fault.ts";
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

/** A partition that is split ends so soon. */
const AHEAD_MS = 300;

/** The one in use, once it is not about to end, has grown too large. */
const fill = () =>
  vi.waitFor(
    async () => {
      const { rowCount } = await pool.query(
        `UPDATE record_partition SET records = 9
          WHERE received_from <= clock_timestamp() AND received_to > clock_timestamp() + interval '1 minute'`,
      );
      expect(rowCount).toBe(1);
    },
    { timeout: 120_000, interval: 50 },
  );

test("new partitions are there, with their indexes, while somebody reads", async () => {
  const made = await besideReader(() => openPartitions(pool));
  expect(made.length).toBeGreaterThan(1);
  const { rows } = await pool.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent IN ('record'::regclass, 'record_pkey'::regclass, 'record_trail_index_idx'::regclass)",
  );
  expect(rows[0]!.n).toBe(made.length * 3);
  await insert(0);
}, 180_000);

test("a full partition waits for the reader, holds up no record meanwhile, and is split afterwards", async () => {
  await fill();
  const before = await openPartitions(pool);
  await besideReader(async () => {
    const [split] = await Promise.all([splitFull(pool, 1, AHEAD_MS), insert(1), insert(2)]);
    expect(split).toBe(false);
  });
  expect(await listPartitions(pool)).toEqual(before);
  expect(await splitFull(pool, 1, AHEAD_MS)).toBe(true);
  expect(await listPartitions(pool)).toHaveLength(before.length + 1);
  await insert(3);
}, 180_000);

const ends = async () => (await pool.query("SELECT 1 FROM pg_constraint WHERE conname = 'record_ends'")).rowCount;

test("what is in a partition is not read while everybody waits for its split", async () => {
  const told: string[] = [];
  const telling = new pg.Pool({ connectionString: postgres.url, options: "-c client_min_messages=debug1" });
  telling.on("error", () => undefined); // the server is stopped under it, should this fail
  telling.on("connect", (client) => client.on("notice", ({ message }) => told.push(message ?? "")));
  await fill();
  expect(await splitFull(telling, 1, AHEAD_MS)).toBe(true);
  await telling.end();
  expect(told.filter((line) => /^partition constraint for table .* is implied/.test(line))).toHaveLength(1);
  expect(await ends()).toBe(0);
}, 180_000);

test("the end that a worker announced before it was gone is taken back at the next look", async () => {
  await fill(); // the one in use does not end under this test
  const name = (await listPartitions(pool)).find(({ toMs }) => toMs > Date.now())!.name;
  await pool.query(`ALTER TABLE "${name}" ADD CONSTRAINT record_ends CHECK (received < '2020-01-01') NOT VALID`);
  const refused = (await insert(4).catch((error: unknown) => error)) as pg.DatabaseError;
  expect(refused.constraint).toBe("record_ends");
  expect(isRowsFault(refused)).toBe(false);
  expect(await splitFull(pool)).toBe(false);
  expect(await ends()).toBe(0);
  await insert(4);
}, 180_000);

test("two that split at once make one split", async () => {
  await fill();
  const before = (await listPartitions(pool)).length;
  const done = await Promise.all([splitFull(pool, 1, AHEAD_MS), splitFull(pool, 1, AHEAD_MS)]);
  expect(done).toContain(true);
  expect((await listPartitions(pool)).length).toBe(before + 1);
}, 180_000);
