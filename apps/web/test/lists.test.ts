/** Lists of a store of years: a page reads its own rows, however many others there are. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { listAlerts } from "../src/alert/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";

const CLOSED = 20_000;
const OPEN = 450;

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await pool.query(
    `INSERT INTO alert (key, kind, severity, title, reason, state)
     SELECT 'k' || n, 'ids.alert', 3, 'alert ' || n, 'r', CASE WHEN n <= ${OPEN} THEN 'open' ELSE 'closed' END
       FROM generate_series(1, ${OPEN + CLOSED}) n`,
  );
  await pool.query("ANALYZE alert");
}, 120_000);
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** Rows and index entries of alerts that a statement fetched. */
async function fetchedBy(act: () => Promise<unknown>): Promise<number> {
  const read = async () => {
    await pool.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await pool.query<{ n: string }>(
      "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_user_tables WHERE relname = 'alert'",
    );
    return Number(rows[0]!.n);
  };
  const before = await read();
  await act();
  return (await read()) - before;
}

test("the open alerts are paged from newest to oldest without a look at the closed ones", async () => {
  const titles: string[] = [];
  let after: number | undefined;
  do {
    let page = await listAlerts(pool, { state: "open", after });
    expect(await fetchedBy(async () => (page = await listAlerts(pool, { state: "open", after })))).toBeLessThanOrEqual(
      OPEN,
    );
    titles.push(...page.rows.map(({ title }) => title));
    after = page.next ?? undefined;
  } while (after !== undefined);
  expect(titles).toEqual(Array.from({ length: OPEN }, (_, at) => `alert ${OPEN - at}`));
});
