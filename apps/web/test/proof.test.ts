import { generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { withRecord } from "../src/person/act.ts";
import { getRecord, listRecords } from "../src/record/store.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { prove } from "../src/trail/prove.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { proveRecord } from "../src/trail/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const RECORDS = 700;
let postgres: TestPostgres;
let pool: pg.Pool;
let trail: number;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "a", new Uint8Array(32));
  const workstation = await seedWorkstation(pool, { name: "w", group });
  const seen = Array.from(
    { length: RECORDS },
    (_, at): Seen => ({
      kind: at % 7 === 0 ? "ids.alert" : "guest.log",
      severity: at % 7 === 0 ? "error" : "info",
      guest: "g",
      text: `line ${at} 100% \u0007`,
      body: { at },
      agoMs: (RECORDS - at) * 1000,
    }),
  );
  trail = await seedTrail(pool, workstation, seen);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function proved(num: number, index: number) {
  return prove(await proveRecord(pool, num, index), await getRecord(pool, num, index, true));
}

test.each([0, 1, 255, 256, 511, 512, RECORDS - 1])(
  "record %i is proved from what the store serves, by its own key",
  async (index) => {
    expect(await proved(trail, index)).toMatchObject({ ok: true, signed: { size: RECORDS } });
  },
);

test("a tile that is missing is made up for by the entries", async () => {
  await pool.query("DELETE FROM tile WHERE trail = $1 AND index = 1", [trail]);
  expect(await proved(trail, 3)).toMatchObject({ ok: true });
});

test.each([
  [
    "its text",
    "UPDATE record SET content = convert_to(replace(convert_from(content, 'UTF8'), 'line', 'lime'), 'UTF8')",
    ["Content"],
  ],
  ["its severity", "UPDATE record SET severity = 0", ["Tree"]],
  ["its hash", "UPDATE record SET content_hash = sha256('x')", ["Content", "Tree"]],
])("a database admin who changes %s is found out", async (_what, sql, failing) => {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query(`${sql} WHERE trail = $1 AND index = 600`, [trail]);
    const one = client as unknown as pg.Pool; // the same questions, inside the transaction that is rolled back
    const result = await prove(await proveRecord(one, trail, 600), await getRecord(one, trail, 600, true));
    expect(result.ok).toBe(false);
    expect(result.steps.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(failing);
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
});

test("what a page shows that is not in the entry is found out", async () => {
  const record = await getRecord(pool, trail, 5, true);
  const result = await prove(await proveRecord(pool, trail, 5), { ...record, kind: "ids.alert" });
  expect(result.steps.find(({ name }) => name === "Entry")).toMatchObject({ ok: false });
});

test("pages by key hold every record once, newest first, and a search takes signs literally", async () => {
  const seen: number[] = [];
  let cursor: Parameters<typeof listRecords>[2];
  do {
    const page = await listRecords(pool, {}, cursor, 64, true);
    seen.push(...page.rows.map(({ index }) => index));
    cursor = page.next ?? undefined;
  } while (cursor);
  expect(seen).toEqual(Array.from({ length: RECORDS }, (_, at) => RECORDS - 1 - at));
  expect((await listRecords(pool, { text: ["99 100%"] }, undefined, 200, true)).rows).toHaveLength(7);
  expect((await listRecords(pool, { text: ["1_0"] }, undefined, 200, true)).rows).toHaveLength(0);
  expect((await listRecords(pool, { kind: ["ids.*"], severity: "error" }, undefined, 200, true)).rows).toHaveLength(
    100,
  );
  expect((await listRecords(pool, { notKind: ["guest.log"] }, undefined, 200, true)).rows).toHaveLength(100);
});

test("an auditor proves records without reading them", async () => {
  const record = await getRecord(pool, trail, 9, false);
  expect(record).toMatchObject({ text: null, content: null, salt: null, withheld: true });
  expect(await prove(await proveRecord(pool, trail, 9), record)).toMatchObject({ ok: true });
});

test("acts of people stand on the console's own trail, in order and provable; one that fails leaves neither change nor record", async () => {
  const file = join(tmpdir(), `sallyport-console-key-${process.pid}.pem`);
  writeFileSync(file, generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }), {
    mode: 0o600,
  });
  const record = consoleRecorder(readConsoleKey(file));
  rmSync(file);
  const by = { id: "p1", email: "ada@example.org", session: "s1" };
  const act = (text: string) =>
    withRecord(pool, record, by, { address: "10.0.0.1" }, async (tx) => {
      await tx.query('INSERT INTO "group" (id, name) VALUES (gen_random_uuid(), $1)', [text]);
      return { act: { kind: "person.group-made", text }, value: null };
    });
  await Promise.all(Array.from({ length: 300 }, (_, at) => act(`g${at}`)));
  await expect(act("g7")).rejects.toThrow(/unique/);
  const { rows } = await pool.query("SELECT num, size FROM trail WHERE workstation_id IS NULL");
  expect(rows).toMatchObject([{ size: "300" }]);
  const own = rows[0].num as number;
  expect(await getRecord(pool, own, 299, true)).toMatchObject({
    workstation: null,
    body: { actor: { id: "p1", email: "ada@example.org" }, address: "10.0.0.1", session: "s1" },
  });
  for (const index of [0, 150, 299])
    expect(await proved(own, index)).toMatchObject({ ok: true, signed: { size: 300 } });
});
