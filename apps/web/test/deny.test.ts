/** What people deny: signed as the audience's whole overlay, believed by its workstations, sent to each once, counted by
 *  what they report, lifted, and ended. */
import "reflect-metadata";
import { randomUUID, verify } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { CarriedOverlay } from "@sallyport/shared/policy/overlay.ts";
import { Desired, type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId, signValue } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { type Denying, deny, lift } from "../src/deny/act.ts";
import { addDeny } from "../src/deny/change.ts";
import { getDeny, listDenies } from "../src/deny/store.ts";
import { overlayDispatch } from "../src/dispatch/overlays.ts";
import { States } from "../src/ingest/state.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation, sha256 } from "./seed.ts";

const WAIT = { timeout: 120_000, interval: 20 };
const FLEET = 10_000;
/** The promise: a connected workstation is reached within 10 s, and needs a moment of it itself. */
const FLEET_MS_MAX = 8_000;
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
const HASH = "ab".repeat(32);
const signer = newSigner();
const by = { id: "rio", email: "rio@example.org" };
const origin = { address: "192.0.2.9" } as never;

let postgres: TestPostgres | undefined;
let pool: pg.Pool;
let group: GroupId;
let workstation: WorkstationId;
beforeEach(async () => {
  postgres ??= await startPostgres().then(async (started) => {
    await migrate(started.url);
    pool = openPool(started.url);
    await seedPartition(pool);
    return started;
  });
  await pool.query('TRUNCATE workstation, "group", group_key, overlay, deny, overlay_dispatch, reported CASCADE');
  group = (await seedGroup(pool, `floor ${randomUUID()}`, signer.publicKey)) as GroupId;
  workstation = (await seedWorkstation(pool, { name: "lab-07", group })) as WorkstationId;
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const parts = () => ({ pool, recordConsole: consoleRecorder(signer), consoleKey: signer });
const asked = (more: Partial<Denying> = {}): Denying => ({
  ...{ what: HASH, audience: { fleet: true }, hours: 24, reason: "ransomware elsewhere", ...more },
});
const add = (more: Partial<Denying> = {}) => deny(parts(), by, origin, asked(more));
const list = async () => (await listDenies(pool, new Date())).rows;
const stands = async () => (await list()).filter(({ ended }) => ended === null).map(({ words }) => words);

/** As the workstation would: what its topic holds, believed in order. */
function workstations(slow = 0) {
  const topics = new Map<string, SignedStatement[]>();
  const told: string[] = [];
  const dispatch = overlayDispatch({
    pool,
    log: pino({ level: "silent" }),
    shards: () => SHARDS,
    async publish(topic, text) {
      if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow));
      topics.set(topic, Desired.parse(JSON.parse(text)).statements);
      told.push(topic);
    },
  });
  const stopping = new AbortController();
  const done = dispatch.run(stopping.signal);
  const of = (id: string) => topics.get(`sallyport/1/${id.slice(0, 2)}/${id}/overlay`);
  const entriesOf = (id: string) =>
    of(id)?.flatMap((statement) => CarriedOverlay.parse(JSON.parse(statement.carried)).entries.map((each) => each.id));
  const stop = async () => {
    stopping.abort();
    await done;
  };
  return { dispatch, told, of, entriesOf, stop };
}

const checks = (key: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url") };
  return verify(null, bytes, { key: jwk, format: "jwk" }, signature);
};

test("what is denied is one statement of the console's key that a workstation of a strict group takes, and a record", async () => {
  const added = await add();
  const { dispatch: _, ...fleet } = workstations();
  await vi.waitFor(() => expect(fleet.entriesOf(workstation)).toEqual([added.id]), WAIT);
  await fleet.stop();
  const keys = [signer.publicKey, new Uint8Array(32).fill(7)].map((key, at) => ({
    ...{ id: keyId(sha256, key), publicKey: toBase64(key) },
    role: at === 0 ? ("console" as const) : ("approver" as const),
  }));
  const trust = { workstation, group, signers: { threshold: 2, keys }, orders: {}, now: Date.now() };
  const taken = verifyStatement(sha256, checks, trust, fleet.of(workstation)![0]);
  if (!taken.ok) throw new Error(taken.error.reason);
  expect(taken.value.statement).toMatchObject({ type: "overlay", audience: { fleet: true }, notAfter: added.until });
  const { rows } = await pool.query("SELECT text, content FROM record WHERE kind = 'person.denied'");
  expect(rows).toHaveLength(1);
  expect(rows[0].text).toBe(
    `rio@example.org blocked sha256 ${HASH} on the whole fleet until ${added.until}: ransomware elsewhere`,
  );
  const { body } = JSON.parse(rows[0].content.toString());
  expect(body).toMatchObject({ actor: { id: "rio" }, address: "192.0.2.9", after: { id: added.id } });
});

test("each change is the whole overlay of its audience under a higher order; lifted and ended things are not in it", async () => {
  const first = await add();
  await add({ what: "0951:1666", audience: { group } });
  await add({ what: "bad.example:443", audience: { workstation } });
  const second = await add({ what: "203.0.113.0/24" });
  const fleet = workstations();
  await vi.waitFor(() => expect(fleet.entriesOf(workstation)).toHaveLength(4), WAIT);
  const orderOf = () => Statement.parse(JSON.parse(fleet.of(workstation)![0]!.text)).order;
  const before = orderOf();
  await lift(parts(), by, origin, { id: first.id, reason: "a mistake" });
  await vi.waitFor(() => expect(fleet.entriesOf(workstation)).toHaveLength(3), WAIT);
  expect(orderOf()).toBeGreaterThan(before);
  expect(fleet.entriesOf(workstation)).not.toContain(first.id);
  await fleet.stop();
  // the lift is valid as long as what it lifts could have been
  const lifted = Statement.parse(JSON.parse(fleet.of(workstation)![0]!.text));
  expect(Date.parse(lifted.notAfter!)).toBeGreaterThanOrEqual(Date.parse(first.until));
  expect((await list()).find(({ id }) => id === first.id)?.ended).toMatchObject({ how: "lifted", reason: "a mistake" });
  await expect(lift(parts(), by, origin, { id: first.id, reason: "again" })).rejects.toThrow(/lifted already/);
  await expect(lift(parts(), by, origin, { id: "ffffffffffff" as never, reason: "none" })).rejects.toThrow(
    /Nothing is/,
  );
  // it ends by itself, here as well
  await pool.query("UPDATE deny SET until = now() - interval '1 second' WHERE id = $1", [second.id]);
  expect((await list()).find(({ id }) => id === second.id)?.ended).toEqual({ how: "ended" });
  await expect(lift(parts(), by, origin, { id: second.id, reason: "late" })).rejects.toThrow(/ended by itself/);
  await add({ what: "192.0.2.66" });
  // each is found by its name as it is listed
  for (const row of await list()) expect(await getDeny(pool, new Date(), row.id)).toEqual(row);
  await expect(getDeny(pool, new Date(), "ffffffffffff")).rejects.toThrow("Nothing is denied under ffffffffffff.");
  const { rows } = await pool.query(
    `SELECT statement ->> 'carried' AS carried FROM overlay WHERE audience = 'fleet' ORDER BY "order" DESC LIMIT 1`,
  );
  expect(CarriedOverlay.parse(JSON.parse(rows[0].carried)).entries.map(({ what }) => what)).toMatchObject([
    { to: "192.0.2.66" },
  ]);
});

test("what cannot be denied is refused with a sentence, and leaves nothing half done", async () => {
  const refusals: [Partial<Denying>, RegExp][] = [
    [{ what: "nothing of the kind" }, /no sha256, no rule/],
    [{ what: "0.0.0.0/0" }, /wider than \/8/],
    [{ what: "block" }, /would block every device/],
    [{ audience: { group: randomUUID() as GroupId } }, /no such group/],
    [{ audience: { workstation: randomUUID() as WorkstationId } }, /no such workstation/],
  ];
  for (const [more, words] of refusals) await expect(add(more), JSON.stringify(more)).rejects.toThrow(words);
  await pool.query("UPDATE workstation SET state = 'revoked' WHERE id = $1", [workstation]);
  await expect(add({ audience: { workstation } })).rejects.toThrow(/is revoked and takes nothing/);
  expect(await list()).toEqual([]);
  expect((await pool.query("SELECT 1 FROM overlay")).rowCount).toBe(0);
});

test("the same thing for longer takes the place of the shorter; for no longer it is refused", async () => {
  const short = await add({ hours: 1 });
  await expect(add({ hours: 1, reason: "again" })).resolves.toMatchObject({ instead: short.id });
  await expect(add({ hours: 1, reason: "and again" })).resolves.toBeDefined();
  const long = await add({ hours: 48 });
  await expect(add({ hours: 2 })).rejects.toThrow(/denied for the whole fleet already, until .*Z \([0-9a-f]{12}\)/);
  expect(await stands()).toEqual([`sha256 ${HASH}`]);
  expect((await list())[0]?.id).toBe(long.id);
});

test("two people at once leave one overlay that holds both", async () => {
  await Promise.all(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map((what) => add({ what })));
  const { rows } = await pool.query(
    `SELECT statement ->> 'carried' AS carried FROM overlay WHERE audience = 'fleet' ORDER BY "order" DESC LIMIT 1`,
  );
  expect(CarriedOverlay.parse(JSON.parse(rows[0].carried)).entries).toHaveLength(4);
  const tx = await pool.connect();
  try {
    await tx.query("BEGIN");
    for (let at = 4; at < 128; at++)
      await addDeny(tx, signer, {
        ...{ audience: { fleet: true }, what: { kind: "address", to: `10.0.0.${at}`, protocol: "any" } },
        ...{ hours: 1, reason: "many", by: "rio", now: new Date() },
      });
    await tx.query("COMMIT");
  } finally {
    tx.release();
  }
  await expect(add({ what: "198.51.100.1" })).rejects.toThrow(/128 things are denied .* put them into a policy/);
});

test("how far it has come is counted from what workstations report as found in force", async () => {
  const added = await add();
  const order = (await pool.query(`SELECT max("order") AS "order" FROM overlay`)).rows[0].order;
  const report = async (id: string, overlays: unknown) =>
    pool.query(
      `INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, now(), now(), $2)
       ON CONFLICT (workstation_id) DO UPDATE SET document = excluded.document`,
      [id, JSON.stringify(overlays === undefined ? {} : { overlays })],
    );
  const state = (more: object) => [{ audience: "fleet", order: Number(order), digest: HASH, entries: 1, ...more }];
  const reach = async () => (await list()).find(({ id }) => id === added.id)?.reach?.words;
  expect(await reach()).toBe("0 of 1 connected have it; 1 has too old an agent");
  await report(workstation, []);
  expect(await reach()).toBe("0 of 1 connected have it");
  await report(workstation, state({ usb: { outcome: "not-applied", reason: "no gate" } }));
  expect(await reach()).toBe("0 of 1 connected have it; 1 cannot make it true");
  await report(workstation, state({ usb: { outcome: "applied" } }));
  expect(await reach()).toBe("1 of 1 connected has it");
  await report(workstation, state({ order: Number(order) - 1, usb: { outcome: "applied" } }));
  expect(await reach()).toBe("0 of 1 connected have it");
  const away = await seedWorkstation(pool, { name: "away", group });
  await pool.query("UPDATE workstation SET presence_state = 'offline' WHERE id = $1", [away]);
  expect(await reach()).toBe("0 of 1 connected have it; 1 offline gets it when it returns");
});

test("nobody is told twice, one that comes back is told again, and one that moved is told of its new group", async () => {
  const other = (await seedGroup(pool, "other", signer.publicKey)) as GroupId;
  const fleet = workstations();
  await add({ audience: { group } });
  await vi.waitFor(() => expect(fleet.entriesOf(workstation)).toHaveLength(1), WAIT);
  fleet.dispatch.wake();
  fleet.dispatch.back([workstation]);
  await vi.waitFor(() => expect(fleet.told).toHaveLength(2), WAIT);
  await pool.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [workstation, other]);
  fleet.dispatch.wake();
  await vi.waitFor(() => expect(fleet.entriesOf(workstation)).toEqual([]), WAIT);
  expect(fleet.told).toHaveLength(3);
  await fleet.stop();
});

test(`a fleet of ${FLEET} is told within ${FLEET_MS_MAX / 1000} s, by a broker that takes 5 ms for each message`, async () => {
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version, presence_state)
     SELECT id, substr(id::text, 1, 2), 'w', 'w', $2, '{}', '', 'test', 'online' FROM unnest($1::uuid[]) AS id`,
    [Array.from({ length: FLEET - 1 }, () => randomUUID()), group],
  );
  const fleet = workstations(5);
  await add();
  const began = performance.now();
  fleet.dispatch.wake();
  await vi.waitFor(() => expect(fleet.told.length).toBe(FLEET), { timeout: 60_000, interval: 5 });
  const ms = Math.round(performance.now() - began);
  process.stdout.write(`overlay: ${FLEET} workstations told in ${ms} ms\n`);
  const counting = performance.now();
  expect((await list())[0]?.reach).toMatchObject({ workstations: FLEET, connected: FLEET });
  process.stdout.write(`overlay: ${FLEET} workstations counted in ${Math.round(performance.now() - counting)} ms\n`);
  await fleet.stop();
  expect(new Set(fleet.told).size).toBe(FLEET);
  expect(ms).toBeLessThan(FLEET_MS_MAX);
});

test(`${FLEET} reports that come at once are stored and counted while the page looks`, async () => {
  const machine = new Machine();
  const ids = Array.from({ length: FLEET }, () => randomUUID() as string as WorkstationId);
  await pool.query("DELETE FROM workstation");
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version, presence_state)
     SELECT id, substr(id::text, 1, 2), 'w', 'w', $2, '{}', $3, 'test', 'online' FROM unnest($1::uuid[]) AS id`,
    [ids, group, machine.publicKey],
  );
  await add();
  const order = Number((await pool.query('SELECT "order" FROM overlay')).rows[0].order);
  const at = new Date().toISOString();
  const said = {
    ...{ session: randomUUID(), at, agentVersion: "test", hostname: "w", group, guests: [], sources: {}, policy: null },
    ...{ trail: { id: randomUUID(), size: 1, root: HASH }, spool: { records: 0, bytes: 0, bytesMax: 1 }, sections: {} },
    overlays: [{ audience: "fleet", order, digest: HASH, entries: 1, usb: { outcome: "applied" } }],
  };
  const reports = ids.map((id) =>
    Buffer.from(
      JSON.stringify(signValue(sha256, machine, "sallyport/reported/1", { workstation: id, ...said } as never)),
    ),
  );
  const refused: string[] = [];
  const states = new States({
    ...{ pool, log: pino({ level: "silent" }), now: Date.now, back: async () => undefined },
    refuse: async ({ reason }) => void refused.push(reason),
  });
  const stopping = new AbortController();
  const done = states.run(stopping.signal);
  const began = performance.now();
  for (const [place, id] of ids.entries()) states.reported(id, `…/${id}/reported`, reports[place]!, false);
  await vi.waitFor(async () => expect((await list())[0]?.reach?.have).toBe(FLEET), WAIT);
  process.stdout.write(`overlay: ${FLEET} reports stored and counted in ${Math.round(performance.now() - began)} ms\n`);
  stopping.abort();
  await done;
  expect(refused).toEqual([]);
});
