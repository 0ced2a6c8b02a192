/** A store of years: what one look-up or one page locks does not grow with the partitions there are. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { packTrail } from "../src/export/pack.ts";
import { findTrails } from "../src/export/query.ts";
import { Slots } from "../src/export/slots.ts";
import { loadTails, storedLeaves } from "../src/ingest/trails.ts";
import type { Filter } from "../src/record/filter.ts";
import { countOverTime } from "../src/record/histogram.ts";
import { getRecord, listChoices, listMoved, listRecords } from "../src/record/store.ts";
import { tellStory } from "../src/record/story.ts";
import { proveRecord } from "../src/trail/store.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { requestOf } from "../src/usb/exception.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedTrail, seedWorkstation } from "./seed.ts";

const PARTITIONS = 300;
const SPAN_MS = 6 * 3_600_000;
/** Two in each partition. */
const RECORDS = PARTITIONS * 2;
/** As wide as a list's window of partitions becomes. */
const WINDOW_PARTITIONS_MAX = 24;

let postgres: TestPostgres;
let pool: pg.Pool;
let workstation: string;
let trail: number;
let counted: pg.Pool;
/** Of each statement since the last `lockedBy` began: how many partitions of `record` it locked. */
let locked: number[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
  pool.on("error", () => undefined); // the server is stopped under it at the end
  counted = counting(pool);
  const end = Math.ceil(Date.now() / SPAN_MS) * SPAN_MS;
  const bound = (at: number) => new Date(end - (PARTITIONS - at) * SPAN_MS).toISOString();
  for (let at = 0; at < PARTITIONS; at++) {
    const [from, to] = [bound(at), bound(at + 1)];
    await pool.query(`CREATE TABLE record_${at} PARTITION OF record FOR VALUES FROM ('${from}') TO ('${to}')`);
    await pool.query("INSERT INTO record_partition (name, received_from, received_to) VALUES ($1, $2, $3)", [
      `record_${at}`,
      from,
      to,
    ]);
  }
  const group = await seedGroup(pool, "lab", new Uint8Array(32));
  workstation = await seedWorkstation(pool, { name: "old", group });
  const image = { sha256: "ab".repeat(32), size: 1 };
  const scan = { source: "stick", image, verdict: "hold", reason: "asks", scanner: null, manifest: [] };
  const now = Date.now();
  const seen = Array.from({ length: RECORDS }, (_, at): Seen => {
    // the newest may lie ahead of now: its partition does as well
    const agoMs = now - (end - ((RECORDS - at) / 2) * SPAN_MS + 60_000);
    const line = { severity: "info", guest: "g", text: `line ${at}`, agoMs } as const;
    return at % 100 === 50
      ? { ...line, kind: "usb.scan", body: { ...scan, at } }
      : { ...line, kind: "guest.log", body: { at } };
  });
  trail = await seedTrail(pool, workstation, seen);
}, 180_000);
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const LOCKED = `SELECT count(DISTINCT l.relation)::int AS n FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation
  WHERE l.pid = pg_backend_pid() AND i.inhparent = 'record'::regclass`;

/** Every statement in a transaction, its own or the asker's, which is asked what it locked before it ends. */
function counting(real: pg.Pool): pg.Pool {
  const look = async (tx: pg.PoolClient) => locked.push((await tx.query<{ n: number }>(LOCKED)).rows[0]!.n);
  const query = async (sql: string, values?: unknown[]) => {
    const tx = await real.connect();
    try {
      await tx.query("BEGIN");
      const answer = await tx.query(sql, values);
      await look(tx);
      await tx.query("COMMIT");
      return answer;
    } finally {
      tx.release();
    }
  };
  const connect = async () => {
    const tx = await real.connect();
    const asked = async (sql: string, values?: unknown[]) => {
      if (sql === "COMMIT") await look(tx);
      return tx.query(sql, values);
    };
    return { query: asked, release: (broken?: Error) => tx.release(broken) };
  };
  return { query, connect } as unknown as pg.Pool;
}

async function lockedBy(act: () => Promise<unknown>): Promise<number> {
  locked = [];
  await act();
  return Math.max(...locked);
}

const list = (filter: Filter, limit: number) => listRecords(counted, filter, undefined, limit, true);

test("one statement over all partitions would lock each of them: so they are counted", async () => {
  const all = () => counted.query("SELECT 1 FROM record WHERE trail = $1 AND index = 0", [trail]);
  expect(await lockedBy(all)).toBe(PARTITIONS);
});

test("a record is read, and proved, from the one partition it lies in", async () => {
  for (const index of [0, 1, 300, RECORDS - 1]) {
    expect((await getRecord(counted, trail, index, true)).text).toBe(`line ${index}`);
    expect(await lockedBy(() => getRecord(counted, trail, index, true))).toBe(1);
    expect(await lockedBy(() => proveRecord(counted, trail, index))).toBe(1);
  }
});

test("a story is told partition by partition", async () => {
  for (const index of [0, 50, 350, RECORDS - 1]) {
    const locks = await lockedBy(async () => {
      const { chapters } = await tellStory(counted, trail, index, true);
      expect(chapters.map((each) => each.index)).toContain(index);
    });
    expect(locks).toBeLessThanOrEqual(12); // another sight of the same bytes lies anywhere: each in one partition
  }
});

test("what a trail moved by, also over all partitions, is read one by one, newest first", async () => {
  const moved = [{ trail, from: 0, to: RECORDS }];
  const filters: [Filter, number][] = [
    [{}, 200],
    [{ text: ["nowhere"] }, 0],
    [{ text: ["line 7"] }, 11],
  ];
  for (const [filter, found] of filters) {
    const locks = await lockedBy(async () => {
      const indexes = (await listMoved(counted, filter, moved, 200, true)).map(({ index }) => index);
      expect(indexes).toHaveLength(found);
      expect(indexes).toEqual([...indexes].sort((a, b) => b - a));
    });
    expect(locks).toBe(1);
  }
});

test("an export is made a partition at a time, and holds every record", async () => {
  let bytes = 0;
  const locks = await lockedBy(async () => {
    const [exported] = await findTrails(counted, workstation);
    for await (const chunk of packTrail(counted, exported!, true, new Date())) bytes += chunk.length;
  });
  expect(locks).toBe(1);
  expect(bytes).toBeGreaterThan(RECORDS * 32);
});

test("ingest reads what a trail's unfinished tile is made of a partition at a time", async () => {
  expect(await lockedBy(() => loadTails(counted, trail, RECORDS))).toBe(1);
  await pool.query("DELETE FROM tile WHERE trail = $1 AND index = 0", [trail]);
  const locks = await lockedBy(async () => expect(await storedLeaves(counted, trail, 0, 256)).toHaveLength(256));
  expect(locks).toBe(1);
  expect(await lockedBy(() => requestOf(counted, trail, 50))).toBe(1);
});

test("pages go back through all of it, each from the partitions it needs, and none is left out", async () => {
  let cursor: Parameters<typeof listRecords>[2];
  const found: number[] = [];
  do {
    const locks = await lockedBy(async () => {
      const page = await listRecords(counted, {}, cursor, 25, true);
      found.push(...page.rows.map(({ index }) => index));
      cursor = page.next ?? undefined;
    });
    expect(locks).toBeLessThanOrEqual(WINDOW_PARTITIONS_MAX);
  } while (cursor);
  expect(found).toEqual(Array.from({ length: RECORDS }, (_, at) => RECORDS - 1 - at));
});

test("a first page reads the newest partitions alone, and so does what there is to choose from", async () => {
  expect(await lockedBy(() => list({}, 8))).toBeLessThanOrEqual(6);
  expect(await lockedBy(() => listChoices(counted))).toBeLessThanOrEqual(WINDOW_PARTITIONS_MAX);
});

test("a search that finds nothing, or one record far back, goes there window by window", async () => {
  for (const [text, found] of [
    ["nowhere", []],
    ["line 301", [301]],
  ] as const) {
    const locks = await lockedBy(async () => {
      const { rows, next } = await list({ text: [text] }, 200);
      expect(rows.map(({ index }) => index)).toEqual(found);
      expect(next).toBeNull();
    });
    expect(locks).toBeLessThanOrEqual(WINDOW_PARTITIONS_MAX);
  }
  const all = await listRecords(counted, { text: ["line"] }, undefined, 200, true, { msMax: -1 });
  expect(all.rows.map(({ index }) => index)).toEqual(all.rows.map((_, at) => RECORDS - 1 - at));
  expect(all.rows.length).toBeLessThan(200);
  const further = await listRecords(counted, { text: ["line"] }, all.next!, 1, true);
  expect(further.rows.map(({ index }) => index)).toEqual([RECORDS - 1 - all.rows.length]);
  await expect(listRecords(counted, { text: ["nowhere"] }, undefined, 200, true, { msMax: -1 })).rejects.toThrow(
    "Nothing was found back to",
  );
  const since = new Date(Date.now() - 10 * SPAN_MS).toISOString();
  expect(await lockedBy(() => list({ since }, 200))).toBeLessThanOrEqual(12);
});

test("bars over years are counted some partitions at a time, all of them, and no further than there is time", async () => {
  const now = new Date();
  const over = (filter: Filter, msMax?: number) =>
    countOverTime(counted, filter, now, msMax === undefined ? {} : { msMax });
  const sum = (counts: number[]) => counts.reduce((before, each) => before + each, 0);
  const locks = await lockedBy(async () => {
    const { counts, countedFrom } = await over({});
    expect(sum(counts)).toBe(RECORDS);
    expect(countedFrom).toBeNull();
    expect(sum((await over({ kind: ["usb.*"] })).counts)).toBe(RECORDS / 100);
    expect(sum((await over({ text: ["line 7"] })).counts)).toBe(11);
    expect(sum((await over({ text: ["nowhere"] })).counts)).toBe(0);
  });
  expect(locks).toBeLessThanOrEqual(WINDOW_PARTITIONS_MAX);
  const since = new Date(now.getTime() - 10 * SPAN_MS).toISOString();
  const until = new Date(now.getTime() - 5 * SPAN_MS).toISOString();
  const all = await listRecords(pool, { since, until }, undefined, 200, true);
  const bars = await over({ since, until });
  const received = all.rows.map((row) => Math.floor((Date.parse(row.received) - Date.parse(bars.from)) / bars.stepMs));
  expect(bars.counts).toEqual(bars.counts.map((_, bar) => received.filter((each) => each === bar).length));
  expect(await lockedBy(() => over({ since, until }))).toBeLessThanOrEqual(12);
  const none = await over({}, -1);
  expect(sum(none.counts)).toBe(0);
  expect(none.countedFrom).not.toBeNull();
});

test("a partition that was counted when it was sealed is not read again, where a bar holds it whole", async () => {
  const [at] = (
    await pool.query<{ from: Date }>(
      `UPDATE record_partition SET sealed_at = now(), records = 1000 WHERE name = 'record_7' RETURNING received_from AS "from"`,
    )
  ).rows;
  const whole = await countOverTime(pool, {}, new Date());
  expect(Math.max(...whole.counts)).toBeGreaterThanOrEqual(1000);
  const filtered = await countOverTime(pool, { severity: "debug" }, new Date());
  expect(Math.max(...filtered.counts)).toBeLessThan(100);
  // bars of minutes cut it
  const since = at!.from.toISOString();
  const until = new Date(at!.from.getTime() + SPAN_MS).toISOString();
  expect((await countOverTime(pool, { since, until }, new Date())).counts.reduce((sum, each) => sum + each, 0)).toBe(2);
  // a time that begins in its middle does not hold it
  const late = new Date(at!.from.getTime() + SPAN_MS / 2).toISOString();
  expect(Math.max(...(await countOverTime(pool, { since: late }, new Date())).counts)).toBeLessThan(1000);
  await pool.query("UPDATE record_partition SET sealed_at = NULL, records = 0 WHERE name = 'record_7'");
});

test.each([
  ["viewer", 11],
  ["auditor", RECORDS],
] as const)(
  "bars tell a %s no more of what records say than a list would, and only so many are counted at once",
  async (role, found) => {
    const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true };
    const wiring = { pool, countSlots: new Slots(1) } as unknown as Context["wiring"];
    const asked = appRouter.createCaller({ wiring, actor, still: async () => actor, origin: {}, host: "x" } as Context);
    const ask = () => asked.record.histogram({ filter: { text: ["line 7"] } });
    const { counts } = await ask();
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(found);
    const both = await Promise.allSettled([ask(), ask()]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(both[1]).toMatchObject({ reason: { code: "TOO_MANY_REQUESTS" } });
    await ask();
  },
);
