/** Live tails against a real Postgres: what is committed reaches who watches, once, whatever happens in between. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import type { Filter } from "../src/record/filter.ts";
import { Heard } from "../src/record/heard.ts";
import type { RecordRow } from "../src/record/store.ts";
import { FRAME_ROWS_MAX, type Frame, tailRecords } from "../src/record/tail.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const WAIT = { timeout: 60_000, interval: 20 };
const APPLICATION = "tail test";

let postgres: TestPostgres;
let pool: pg.Pool;
let heard: Heard;
let trails: number[];

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "lab", new Uint8Array(32));
  const opened = { kind: "trail.opened", severity: "info", text: "opened", body: {}, agoMs: 5_000 } as const;
  trails = [];
  for (const name of ["a", "b"])
    trails.push(await seedTrail(pool, await seedWorkstation(pool, { name, group }), [opened]));
  const client = () => {
    const made = new pg.Client({ connectionString: postgres.url, application_name: APPLICATION });
    made.on("error", () => undefined); // cut by the tests
    return made;
  };
  heard = new Heard(pool, client);
});
afterEach(() => vi.waitFor(() => expect(heard.watchers).toBe(0), WAIT));
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** Commits records as ingest does: rows, the trail's size and the notification in one transaction. */
async function commit(trail: number, texts: string[], notified: object | string = { trails: [trail] }): Promise<void> {
  const tx = await pool.connect();
  try {
    await tx.query("BEGIN");
    const { rows } = await tx.query<{ size: string }>("SELECT size FROM trail WHERE num = $1 FOR UPDATE", [trail]);
    const size = Number(rows[0]?.size);
    await tx.query(
      `INSERT INTO record (trail, index, received, time, kind, severity, text, content_hash)
       SELECT $1, $2::bigint + at - 1, clock_timestamp(), clock_timestamp(), 'guest.log', 1, text, sha256('x')
         FROM unnest($3::text[]) WITH ORDINALITY AS line (text, at)`,
      [trail, size, texts],
    );
    await tx.query('UPDATE record_range SET "to" = $2::bigint WHERE trail = $1', [trail, size + texts.length]);
    await tx.query("UPDATE trail SET size = $2::bigint, safe = $2::bigint WHERE num = $1", [
      trail,
      size + texts.length,
    ]);
    await tx.query("SELECT pg_notify('record', $1)", [
      typeof notified === "string" ? notified : JSON.stringify(notified),
    ]);
    await tx.query("COMMIT");
  } finally {
    tx.release();
  }
}

type Watching = { frames: Frame[]; rows: () => RecordRow[]; texts: () => (string | null)[]; stop: () => Promise<void> };

/** Watches at full speed; `frames[0]` is what was there already. */
async function watch(filter: Filter, after?: string): Promise<Watching> {
  const stopping = new AbortController();
  const frames: Frame[] = [];
  const contents = async () => true;
  const done = (async () => {
    for await (const frame of tailRecords({ pool, heard, filter, after, signal: stopping.signal, contents }))
      frames.push(frame);
  })();
  await vi.waitFor(() => expect(frames.length).toBeGreaterThan(0), WAIT);
  const rows = () => frames.slice(1).flatMap((frame) => frame.rows);
  return {
    frames,
    rows,
    texts: () => rows().map(({ text }) => text),
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}

test("what two trails commit reaches who watches, each line once, and only what the filter wants", async () => {
  const all = await watch({});
  const some = await watch({ text: ["wanted"] });
  for (let at = 0; at < 10; at++) await commit(trails[at % 2]!, [`wanted ${at}`, `other ${at}`]);
  await vi.waitFor(() => expect(all.texts()).toHaveLength(20), WAIT);
  await vi.waitFor(() => expect(some.texts()).toHaveLength(10), WAIT);
  expect(new Set(all.texts()).size).toBe(20);
  expect(some.texts().every((text) => text?.startsWith("wanted"))).toBe(true);
  expect(all.frames.some(({ skipped }) => skipped)).toBe(false);
  await Promise.all([all.stop(), some.stop()]);
});

test("a notification that names no trail, or cannot be read, makes it look at all of them", async () => {
  const all = await watch({});
  await commit(trails[0]!, ["unnamed"], { trails: [] });
  await commit(trails[1]!, ["unread"], "no JSON");
  await vi.waitFor(() => expect([...all.texts()].sort()).toEqual(["unnamed", "unread"]), WAIT);
  await all.stop();
});

test("what is committed while the listening connection is cut arrives when it is back, once", async () => {
  const all = await watch({});
  const cut = () =>
    pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [APPLICATION]);
  for (let at = 0; at < 3; at++) {
    await vi.waitFor(async () => expect((await cut()).rowCount).toBe(1), WAIT);
    await commit(trails[0]!, [`cut ${at}`]);
  }
  await vi.waitFor(() => expect(all.texts()).toHaveLength(3), WAIT);
  await commit(trails[0]!, ["after"]);
  await vi.waitFor(() => expect(all.texts()).toContain("after"), WAIT);
  expect([...all.texts()].sort()).toEqual(["after", "cut 0", "cut 1", "cut 2"]);
  await all.stop();
});

test("a reader who is slow is shown the newest and told that lines were skipped; nothing piles up for them", async () => {
  const stopping = new AbortController();
  const contents = async () => true;
  const slow = tailRecords({ pool, heard, filter: {}, after: undefined, signal: stopping.signal, contents });
  await slow.next(); // what was there; nobody asks for more until all is committed
  const lines = FRAME_ROWS_MAX * 3;
  for (let at = 0; at < 6; at++)
    await commit(
      trails[at % 2]!,
      Array.from({ length: lines / 6 }, (_, line) => `fast ${at * (lines / 6) + line}`),
    );
  const seen: string[] = [];
  let skipped = false;
  while (!seen.includes(`fast ${lines - 1}`)) {
    const { value } = await slow.next();
    skipped ||= value?.skipped ?? false;
    seen.push(...(value?.rows ?? []).map(({ text }) => text ?? ""));
  }
  expect(skipped || seen.length === lines).toBe(true);
  expect(new Set(seen).size).toBe(seen.length);
  stopping.abort();
  await slow.return();
});

test("who comes back after a disconnect gets what was committed meanwhile", async () => {
  const first = await watch({});
  await commit(trails[0]!, ["seen"]);
  await vi.waitFor(() => expect(first.texts()).toEqual(["seen"]), WAIT);
  const last = first.rows()[0]!.received;
  await first.stop();
  await commit(trails[1]!, ["missed 1", "missed 2"]);
  const again = await watch({}, last);
  expect(again.frames[0]!.rows.map(({ text }) => text)).toEqual(expect.arrayContaining(["missed 1", "missed 2"]));
  expect(again.frames[0]!.skipped).toBe(false);
  await commit(
    trails[1]!,
    Array.from({ length: FRAME_ROWS_MAX + 1 }, (_, at) => `many ${at}`),
  );
  await again.stop();
  expect((await watchOnce(last)).skipped).toBe(true);
});

async function watchOnce(after: string): Promise<Frame> {
  const again = await watch({}, after);
  await again.stop();
  return again.frames[0]!;
}

test("a session that ends, ends the tail, and a role that loses contents loses them at once", async () => {
  let may: boolean | "gone" = true;
  const contents = async () => {
    if (may === "gone") throw new Error("signed out");
    return may;
  };
  const parts = { pool, heard, filter: {}, after: undefined, signal: new AbortController().signal, contents };
  const tail = tailRecords(parts);
  await tail.next();
  may = false;
  await commit(trails[0]!, ["secret"]);
  expect((await tail.next()).value?.rows.map(({ text }) => text)).toEqual([null]);
  may = "gone";
  await commit(trails[0]!, ["secret"]);
  await expect(tail.next()).rejects.toThrow("signed out");
});

test("when nobody watches any more, nothing listens", async () => {
  const one = await watch({});
  const listening = async () =>
    (await pool.query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1", [APPLICATION])).rowCount;
  await vi.waitFor(async () => expect(await listening()).toBe(1), WAIT);
  await one.stop();
  await vi.waitFor(async () => expect(await listening()).toBe(0), WAIT);
});
