/** Lists of a store of years: a page reads its own rows, however many others there are. */
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { SORTS as ALERT_SORTS } from "../src/alert/sort.ts";
import { type AlertRow, listAlerts } from "../src/alert/store.ts";
import { SORTS as REFUSED_SORTS } from "../src/quarantine/sort.ts";
import { listRefused } from "../src/quarantine/store.ts";
import { SORTS as SCAN_SORTS } from "../src/usb/sort.ts";
import { type Key, listScans, type ScanRow } from "../src/usb/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const CLOSED = 20_000;
const OPEN = 450;
const SCANS = 20_000;
const REFUSED = 20_000;

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await pool.query(
    `INSERT INTO alert (key, kind, severity, title, reason, state)
     SELECT 'k' || n, 'ids.alert', 3 + n % 3, 'alert ' || n, 'r', CASE WHEN n <= ${OPEN} THEN 'open' ELSE 'closed' END
       FROM generate_series(1, ${OPEN + CLOSED}) n`,
  );
  await pool.query("ANALYZE alert");
  const workstation = await seedWorkstation(pool, { name: "w", group: await seedGroup(pool, "g", new Uint8Array(32)) });
  await pool.query(
    `INSERT INTO scan (trail, index, workstation_id, time, received, verdict, reason, files, infected, unscannable)
     SELECT 1, n, $1, now(), '2026-11-24'::timestamptz + (n / 3) * interval '1 s', 'hold', '', 9, n % 2, n % 5
       FROM generate_series(1, ${SCANS}) n`,
    [workstation],
  );
  await pool.query("ANALYZE scan");
  await pool.query(
    `INSERT INTO quarantine (topic, code, reason, size, bytes)
     SELECT 't', 'trail', 'r', n % 700, '' FROM generate_series(1, ${REFUSED}) n`,
  );
  await pool.query("ANALYZE quarantine");
}, 120_000);
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** Rows and index entries of a table that a statement fetched. */
async function fetchedBy(act: () => Promise<unknown>, table = "alert"): Promise<number> {
  const read = async () => {
    await pool.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await pool.query<{ n: string }>(
      "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_user_tables WHERE relname = $1",
      [table],
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

test.each(ALERT_SORTS)("the open alerts are paged by %s without a look at the closed ones", async (sort) => {
  const rows: AlertRow[] = [];
  let after: number | undefined;
  do {
    let page = await listAlerts(pool, { state: "open", sort, after });
    const act = async () => (page = await listAlerts(pool, { state: "open", sort, after }));
    expect(await fetchedBy(act)).toBeLessThanOrEqual(OPEN);
    rows.push(...page.rows);
    after = page.next ?? undefined;
  } while (after !== undefined);
  const worst = ({ severity }: AlertRow) => SEVERITIES.indexOf(severity);
  const sorted = [...rows].sort(
    (one, other) =>
      (sort.startsWith("-") ? -1 : 1) *
      ((sort.endsWith("severity") ? worst(one) - worst(other) : 0) || one.id - other.id),
  );
  expect(rows).toHaveLength(OPEN);
  expect(rows.map(({ id }) => id)).toEqual(sorted.map(({ id }) => id));
});

test("one page of all alerts by how bad they are reads its own rows", async () => {
  for (const sort of ["-severity", "severity"] as const) {
    const first = await listAlerts(pool, { sort });
    const act = () => listAlerts(pool, { sort, after: first.next! });
    expect(await fetchedBy(act)).toBeLessThanOrEqual(1_000);
  }
});

test.each(SCAN_SORTS)("scans are paged by %s, each once, and a page reads its own rows", async (sort) => {
  const rows: ScanRow[] = [];
  let after: Key | undefined;
  do {
    let page = await listScans(pool, { sort, after }, 2_000);
    rows.push(...page.rows);
    const act = async () => (page = await listScans(pool, { sort, after }));
    expect(await fetchedBy(act, "scan")).toBeLessThanOrEqual(1_000);
    const last = rows.at(-1)!;
    after = rows.length < SCANS ? { trail: last.trail, index: last.index } : undefined;
  } while (after !== undefined);
  const sign = sort.startsWith("-") ? -1 : 1;
  const bad = (one: ScanRow, other: ScanRow) =>
    sort.endsWith("not-clean") ? one.infected - other.infected || one.unscannable - other.unscannable : 0;
  const sorted = [...rows].sort((one, other) => sign * (bad(one, other) || one.index - other.index));
  expect(rows.map(({ index }) => index)).toEqual(sorted.map(({ index }) => index));
  expect(new Set(rows.map(({ index }) => index)).size).toBe(SCANS);
});

test.each(REFUSED_SORTS)("a page of refused messages by %s reads its own rows, also in the middle", async (sort) => {
  const { next } = await listRefused(pool, { sort }, REFUSED / 2);
  const act = () => listRefused(pool, { sort, after: next! });
  expect(await fetchedBy(act, "quarantine")).toBeLessThanOrEqual(1_000);
});
