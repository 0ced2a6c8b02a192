/** A transaction against a real Postgres, with a connection that is cut in the middle of it. */
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { inTransaction } from "../src/transaction.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";

let postgres: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  pool.on("connect", (client) => client.on("error", () => undefined)); // as the worker's: its query fails as well
  await pool.query("CREATE TABLE seen (what text)");
});
beforeEach(() => pool.query("TRUNCATE seen"));
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const seen = async () => (await pool.query<{ what: string }>("SELECT what FROM seen")).rows.map(({ what }) => what);
const write = (tx: pg.PoolClient) => tx.query("INSERT INTO seen VALUES ('it')");

test("what it did is there for others once it is over, and not before", async () => {
  const value = await inTransaction(pool, async (tx) => {
    await write(tx);
    expect(await seen()).toEqual([]);
    return 7;
  });
  expect([value, await seen()]).toEqual([7, ["it"]]);
});

test("what throws, and what answers that it is not to be kept, left nothing", async () => {
  const thrown = inTransaction(pool, async (tx) => {
    await write(tx);
    throw new Error("the first");
  });
  await expect(thrown).rejects.toThrow("the first");
  const answers = (status: number) =>
    inTransaction(
      pool,
      (tx) => write(tx).then(() => status),
      (status) => status === 200,
    );
  expect([await answers(409), await seen()]).toEqual([409, []]);
  expect([await answers(200), await seen()]).toEqual([200, ["it"]]);
});

test("of a connection that is lost in it the first error is told, and nobody is given it again", async () => {
  const pidOf = async (tx: pg.PoolClient) =>
    (await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]!.pid;
  let lost = 0;
  const cut = inTransaction(pool, async (tx) => {
    await write(tx);
    lost = await pidOf(tx);
    await pool.query("SELECT pg_terminate_backend($1)", [lost]);
    await tx.query("SELECT 1");
  });
  // what the server said last, or that there is none any more
  await expect(cut).rejects.toThrow(/terminating connection|connection error/);
  expect(await seen()).toEqual([]);
  const all = Promise.withResolvers<void>();
  const pids: number[] = [];
  const each = () =>
    inTransaction(pool, async (tx) => {
      if (pids.push(await pidOf(tx)) === pool.options.max) all.resolve();
      await all.promise; // so that each has a connection of its own
    });
  await Promise.all(Array.from({ length: pool.options.max }, each));
  expect(new Set(pids).size).toBe(pool.options.max);
  expect(pids).not.toContain(lost);
});
