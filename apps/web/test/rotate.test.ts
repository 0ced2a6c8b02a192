/** One key of the console follows another, by `sallyport console-key` as a process of its own over a real Postgres; what goes
 *  down is judged as a workstation judges it. */
import "reflect-metadata";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { CarriedKeys, type SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, signText } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { takeSigning } from "../src/approval/sign.ts";
import { changeSigners } from "../src/approval/signers.ts";
import { getProposal } from "../src/approval/store.ts";
import { due } from "../src/dispatch/due.ts";
import { withRecord } from "../src/person/act.ts";
import { publish, publishedAct } from "../src/policy/publish.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { runSallyport } from "./command-line.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";
import { ensureKeys } from "./up.ts";

const RUNS_MS_MAX = 600_000;
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const folder = mkdtempSync(join(tmpdir(), "sallyport-rotate-"));
const file = (name: string) => join(folder, "keys", name);
const NORA = { id: "nora", email: "nora@example.org", session: "s" };

const anna = newSigner();

let postgres: TestPostgres;
let pool: pg.Pool;
const groups: Record<"plain" | "strict", GroupId> = { plain: "" as GroupId, strict: "" as GroupId };
const machines: Record<"plain" | "strict", WorkstationId> = { plain: "" as WorkstationId, strict: "" as WorkstationId };

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await ensureKeys(folder);
  const key = readConsoleKey(file("console.key"));
  for (const name of ["plain", "strict"] as const) {
    groups[name] = (await seedGroup(pool, name, key.publicKey)) as GroupId;
    machines[name] = (await seedWorkstation(pool, { name, group: groups[name] })) as WorkstationId;
  }
  await withRecord(pool, consoleRecorder(key), NORA, {}, async (tx) => {
    const approvers = [{ name: "Anna", publicKey: toBase64(anna.publicKey) }];
    const asked = { group: groups.strict, choice: { approvers, needed: 1 }, reason: "one person", by: "nora" };
    return { ...(await changeSigners(tx, key, { ...asked, now: new Date() })), value: null };
  });
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const consoleKey = (...args: string[]) =>
  runSallyport({ environment: { SALLYPORT_STATE: folder, DATABASE_URL: postgres.url } }, "console-key", ...args);
async function keysOf(name: "plain" | "strict"): Promise<string[][]> {
  const rows = await due(pool, {
    ...{ shards: SHARDS, back: [machines[name]], after: "00000000-0000-0000-0000-000000000000", limit: 10 },
  });
  const own = rows.find(({ id }) => id === machines[name])!.own as SignedStatement[];
  return own
    .filter(({ text }) => JSON.parse(text).type === "keys")
    .map(({ carried }) =>
      CarriedKeys.parse(JSON.parse(carried)).consoleKeys.map((key) => keyId(sha256, Buffer.from(key, "base64"))),
    );
}
async function signs(id: string): Promise<string> {
  const key = readConsoleKey(file("console.key"));
  const { statements } = await getProposal(pool, id);
  const signatures = statements.map(({ text }) => signText(sha256, anna, "sallyport/statement/1", text));
  const signing = { proposal: id, key: toBase64(anna.publicKey), signatures };
  const record = consoleRecorder(key);
  const { state } = await withRecord(pool, record, NORA, {}, (tx) =>
    takeSigning(tx, record, NORA, {}, signing, new Date()),
  );
  return state;
}
/** As the agents of both groups would report it. */
const believe = (ids: string[]) =>
  pool.query(
    `INSERT INTO reported (workstation_id, at, received_at, document)
     SELECT id, now(), now(), jsonb_build_object('signers', jsonb_build_object('keys', $1::text[])) FROM workstation
     ON CONFLICT (workstation_id) DO UPDATE SET document = excluded.document`,
    [ids],
  );
const consoleTrails = async () =>
  (
    await pool.query<{ state: string; size: string; key: Buffer; previous_size: string | null }>(
      "SELECT state, size, public_key AS key, previous_size FROM trail WHERE workstation_id IS NULL ORDER BY num",
    )
  ).rows;

test("workstations are told both keys, then the console signs with the new one, then the old one is no more", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const old = readConsoleKey(file("console.key"));
  const oldId = keyId(sha256, old.publicKey);
  expect(await consoleKey("status")).toMatchObject({ code: 3, err: expect.stringMatching(/no next key yet/) });

  const made = await consoleKey("next", "--json");
  expect(made).toMatchObject({ code: 0, err: "" });
  const { key: nextId, named } = JSON.parse(made.out) as {
    key: string;
    named: { name: string; told: number; waiting: string | null }[];
  };
  expect(statSync(file("console.next.key")).mode & 0o777).toBe(0o600);
  expect(named).toMatchObject([
    { name: "plain", told: 1, waiting: null },
    { name: "strict", told: 0, waiting: expect.any(String) },
  ]);
  expect(await keysOf("plain")).toEqual([[oldId, nextId]]);
  expect(await keysOf("strict")).toEqual([]);
  // once more makes nothing new
  expect(await consoleKey("next")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^The next key is .*\nstrict: waits/),
  });
  expect(await signs(named[1]!.waiting!)).toBe("done");
  expect(await keysOf("strict")).toEqual([[oldId, nextId]]);
  expect((await consoleKey("next")).out).toMatch(/Every workstation has been told of it already/);

  await believe([oldId]);
  expect((await consoleKey("status")).out).toBe("plain: 0 of 1 believe it\nstrict: 0 of 1 believe it\n");
  expect(await consoleKey("switch")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/plain 0 of 1, strict 0 of 1/),
  });
  expect(await consoleKey("retire")).toMatchObject({ code: 3, err: expect.stringMatching(/not switched to yet/) });
  await believe([oldId, nextId]);
  expect(await consoleKey("switch")).toMatchObject({ code: 0, out: expect.stringMatching(/Restart the console/) });
  expect(existsSync(file("console.next.key"))).toBe(false);
  expect(readdirSync(join(folder, "keys"))).toContain(`console.${oldId}.old.key`);
  const next = readConsoleKey(file("console.key"));
  expect(keyId(sha256, next.publicKey)).toBe(nextId);

  // the console's own trail ends under the old key and goes on under the new one
  const [first, second] = await consoleTrails();
  expect(first).toMatchObject({ state: "closed" });
  expect(second).toMatchObject({ state: "open", previous_size: first!.size });
  expect(Buffer.from(next.publicKey).equals(second!.key)).toBe(true);
  // a process that was not restarted records nothing, and so changes nothing
  const offer = (key: typeof old, lines: number, basedOn = 0) =>
    withRecord(pool, consoleRecorder(key), NORA, {}, async (tx) => {
      const policy = Policy.parse({ log: { linesPerSecond: lines } });
      const asked = {
        group: groups.plain,
        source: "",
        policy,
        message: "x",
        basedOn,
        author: "nora",
        now: new Date(),
      };
      const done = await publish(tx, key, asked);
      return { act: publishedAct(asked, done), value: done };
    });
  await expect(offer(old, 1)).rejects.toThrow(/another key than the console.s trail is under: restart it/);
  await expect(offer(next, 2)).resolves.toMatchObject({ order: 1 });

  const retired = JSON.parse((await consoleKey("retire", "--json")).out) as { named: typeof named };
  expect(await signs(retired.named[1]!.waiting!)).toBe("done");
  for (const name of ["plain", "strict"] as const) expect(await keysOf(name)).toEqual([[oldId, nextId], [nextId]]);
  expect((await consoleKey("retire")).out).toMatch(/Every workstation has been told/);

  // the key is lost, and another one lies in its place
  rmSync(file("console.key"));
  await ensureKeys(folder);
  const found = readConsoleKey(file("console.key"));
  await expect(offer(found, 3, 1)).rejects.toThrow(/another key than the console/);
  expect(await consoleKey("adopt")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/in 2 groups\. Workstations that/),
  });
  expect((await consoleTrails()).map(({ state }) => state)).toEqual(["closed", "closed", "open"]);
  await expect(offer(found, 3, 1)).resolves.toMatchObject({ order: 2 });
});
