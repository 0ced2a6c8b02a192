/** A console's clock that jumps while evidence comes in: nothing is received in a wrong year, and nothing is lost. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { apartWords, raiseClock } from "../src/ingest/clock-alert.ts";
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

test("a database whose clock is the worker's own is believed, one a year away is told with how far", async () => {
  expect(await apartWords(pool, Date.now)).toBeUndefined();
  expect(await apartWords(pool, () => Date.now() - 365 * 86_400_000)).toMatch(/is 5256\d\d minutes ahead of/);
  expect(await apartWords(pool, () => Date.now() + 3_600_000)).toMatch(/is (59|60|61) minutes behind/);
});

test("a day's doubts are one alert, which counts them", async () => {
  const now = new Date();
  await raiseClock(pool, "first", now);
  await raiseClock(pool, "again", now);
  const { rows } = await pool.query("SELECT kind, title, reason, count, state FROM alert");
  expect(rows).toEqual([
    {
      kind: "console.clock",
      title: "The console's clock cannot be believed",
      reason: "again",
      count: 2,
      state: "open",
    },
  ]);
});
