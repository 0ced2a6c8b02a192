/** The list of sticks that asked to pass, and what came of each. */
import { newSigner } from "../../../packages/shared/test/keys.ts";
import "reflect-metadata";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { makeException } from "../src/usb/exception.ts";
import { listRequests } from "../src/usb/requests.ts";
import type { Place } from "../src/usb/requests-sort.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const HOUR_MS = 3_600_000;
const signer = newSigner();
const hex = (digit: string) => digit.repeat(64);
const seen = (kind: string, body: object): Seen => ({ kind, severity: "warning", text: kind, body, agoMs: 0 });
const scan = (source: string) =>
  seen("usb.scan", { source, verdict: "hold", reason: "no scanner answered", manifest: [], scanner: null });
const asks = (stick: string, manifest: string, more = {}) =>
  seen("usb.request", {
    ...{ stick, request: hex(manifest), descriptors: hex("a"), device: "d=", manifest: hex(manifest), ...more },
    ...{ files: 2, rule: "unscannable", reason: "no scanner answered" },
  });
const records = [
  scan("1-2/0951:1666/7"), // 0
  asks("1-2/0951:1666/7", "b"), // 1
  scan("1-3/0951:1666/8 unit 1"), // 2
  asks("1-3/0951:1666/8", "c"), // 3
  asks("1-4/0951:1666/9", "d"), // 4, whose scan nobody has
  asks("1-2/0951:1666/11", "b"), // 5, the first one again
  // 6, the third one again where policy would hand over the image
  asks("1-3/0951:1666/8", "c", { request: hex("e"), images: [{ bytes: 512, sha256: hex("f") }] }),
];

let postgres: TestPostgres;
let pool: pg.Pool;
let trail: number;
beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "lab", signer.publicKey);
  const workstation = await seedWorkstation(pool, { name: "lab-07", group });
  const timed = records.map((each, at) => ({ ...each, agoMs: (records.length - at) * 1_000 }));
  trail = await seedTrail(pool, workstation, timed);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const rows = async (now = new Date()) =>
  (await listRequests(pool, now)).rows.map(({ index, scan, what }) => [index, scan, what.state]);

test("each stick that asks is there once, with its scan and what came of it, until that ends by itself", async () => {
  expect(await rows()).toEqual([
    [6, 2, "asked"],
    [5, null, "asked"],
    [4, null, "asked"],
    [3, 2, "asked"],
  ]);
  const tx = await pool.connect();
  try {
    const asked = { trail, index: 2, hours: 8, reason: "looked at by hand", by: "nora", now: new Date() };
    await makeException(tx, signer, asked);
  } finally {
    tx.release();
  }
  const [row] = (await listRequests(pool, new Date())).rows.filter(({ index }) => index === 3);
  expect(row).toMatchObject({
    ...{ trail, workstation: { name: "lab-07" }, stick: "1-3/0951:1666/8", files: 2, why: "no scanner answered" },
    what: { state: "allowed", reason: "looked at by hand" },
  });
  // an exception for the files is none for the image
  const [whole] = (await listRequests(pool, new Date())).rows.filter(({ index }) => index === 6);
  expect(whole).toMatchObject({ what: { state: "asked" } });
  expect([row!.handsOver, whole!.handsOver]).toEqual([
    "a copy of the files that its manifest lists, and nothing else",
    expect.stringMatching(/^the whole image, 512 bytes, sha256 f{64}/),
  ]);
  const later = new Date(Date.now() + 9 * HOUR_MS);
  expect((await rows(later)).find(([index]) => index === 3)).toEqual([3, 2, "ended"]);
});

test("they come page by page with their scans, and a list of the newest alone says so", async () => {
  const read = (after?: Place, bounds = { page: 3, read: 100 }) => listRequests(pool, new Date(), { after }, bounds);
  const first = await read();
  const second = await read(first.next!);
  expect([...first.rows, ...second.rows].map(({ index, scan }) => [index, scan])).toEqual(
    (await rows()).map(([index, scan]) => [index, scan]),
  );
  expect([first.newestOf, second.newestOf, second.next]).toEqual([null, null, null]);
  expect(await read(undefined, { page: 3, read: 2 })).toMatchObject({
    rows: [{ index: 6 }, { index: 5 }],
    newestOf: 2,
  });
});
