/** Sealed recovery keys from the batch that brings them to the day their volume is wiped: listed, handed out on the record,
 *  destroyed where this console ordered it, and proofs stand all the same. */
import { randomBytes, randomUUID } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SealedRecovery, SUITE, sealedDigest } from "@sallyport/shared/disk/sealed.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { destroyWiped } from "../src/escrow/destroy.ts";
import { listEscrow } from "../src/escrow/store.ts";
import { fillEscrow } from "../src/ingest/escrow-fill.ts";
import { Ingest } from "../src/ingest/ingest.ts";
import { openPartitions } from "../src/ingest/partitions.ts";
import type { Role } from "../src/person/role.ts";
import { getRecord } from "../src/record/store.ts";
import { hash } from "../src/trail/crypto.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { enrolled, Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup } from "./seed.ts";
import { entriesOf, leavesRoot } from "./stored.ts";

const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);
let postgres: TestPostgres;
let pool: pg.Pool;
let group: string;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  await migrate(postgres.url);
  await openPartitions(pool);
  group = await seedGroup(pool, "desks", consoleKey.publicKey);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

function as(role: Role) {
  const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true } as const;
  const wiring = { pool, consoleKey, recordConsole } as unknown as Context["wiring"];
  return appRouter.createCaller({ wiring, actor, still: async () => actor, origin: {}, host: "x" });
}
const consoleActs = async (kind: string) => {
  const { rows } = await pool.query<{ content: Buffer }>("SELECT content FROM record WHERE kind = $1 ORDER BY index", [
    kind,
  ]);
  return rows.map(({ content }) => JSON.parse(content.toString("utf8")) as { text: string; body: { detail?: object } });
};
const sealedFor = (workstation: WorkstationId, volume: string, slot: number): SealedRecovery => ({
  ...{ version: 1, suite: SUITE, to: "0a1b2c3d" as SealedRecovery["to"], workstation, volume, slot },
  encapsulated: toBase64(randomBytes(32)),
  ciphertext: toBase64(randomBytes(88)),
});

/** What a machine has said is taken in as any batch is. */
async function takeIn(machine: Machine): Promise<number> {
  const stop = new AbortController();
  const log = pino({ level: "silent" });
  const ingest = new Ingest({ pool, signer: consoleKey, publish: async () => {}, log, now: Date.now });
  const run = ingest.run(stop.signal);
  await ingest.receive(
    machine.id,
    `sallyport/1/${machine.id.slice(0, 2)}/${machine.id}/batch`,
    machine.batch(0, machine.records.length),
  );
  await vi.waitFor(() => expect(ingest.isIdle()).toBe(true), { timeout: 60_000 });
  stop.abort();
  await run;
  const { rows } = await pool.query<{ num: number; size: string }>("SELECT num, size FROM trail WHERE id = $1", [
    machine.trail,
  ]);
  expect(Number(rows[0]?.size)).toBe(machine.records.length);
  return rows[0]!.num;
}

const recovery = (sealed: SealedRecovery) => ({
  ...{ kind: "disk.recovery", severity: "notice" as const },
  ...{ text: `The recovery key of volume ${sealed.volume}`, body: { sealed } },
});

/** A workstation whose trail has, behind its opening, two sealed keys of one volume and one of another. */
async function desk() {
  const machine = new Machine();
  await enrolled(pool, machine, group);
  machine.open();
  const workstation = machine.id;
  const [volume, other] = [randomUUID() as string, randomUUID() as string];
  const sealed = [
    sealedFor(workstation, volume, 1),
    sealedFor(workstation, other, 1),
    sealedFor(workstation, volume, 2),
  ];
  for (const each of sealed) machine.say(recovery(each));
  const trail = await takeIn(machine);
  /** It says that a volume was wiped, by this order. */
  const wiped = async (of: string, command: string) => {
    const body = { command, volume: of, areaBytes: 1, before: "a".repeat(64), parts: [], escrow: [], whole: true };
    machine.say({ kind: "disk.wiped", severity: "critical", text: "wiped", body });
    await takeIn(machine);
  };
  const order = async (of: string) =>
    (
      await as("admin").command.send({
        ...{ workstation, name: "machine", verb: "wipe" as const, arguments: { volume: of } },
        ...{ minutes: 30, reason: "it was lost" },
      })
    ).id;
  return { machine, workstation, volume, other, sealed, trail, wiped, order };
}

test("each is listed with its volume, slot and key, and what was sealed is in no list", async () => {
  const { workstation, volume, sealed, trail } = await desk();
  const rows = await as("viewer").escrow.list({ workstation });
  expect(rows.map(({ index, slot, to, wiped }) => [index, slot, to, wiped])).toEqual([
    [3, 2, "0a1b2c3d", null],
    [2, 1, "0a1b2c3d", null],
    [1, 1, "0a1b2c3d", null],
  ]);
  expect(rows[0]).toMatchObject({ trail, volume, digest: sealedDigest(hash, sealed[2]!) });
  expect(JSON.stringify(rows)).not.toContain(sealed[2]!.ciphertext);
});

test("an admin takes one, which is on the console's trail before it is answered; nobody else does", async () => {
  const { trail, volume, sealed } = await desk();
  for (const role of ["auditor", "viewer", "responder"] as const)
    await expect(as(role).escrow.take({ trail, index: 1 })).rejects.toThrow("take sealed recovery keys");
  expect(await consoleActs("person.escrow-taken")).toEqual([]);
  const { name, file } = await as("admin").escrow.take({ trail, index: 1 });
  expect([name, JSON.parse(file)]).toEqual([`recovery-${volume}-1.json`, { sealed: sealed[0] }]);
  const [act] = await consoleActs("person.escrow-taken");
  expect(act?.text).toContain(`admin@example.org took the sealed recovery key of machine (volume ${volume}, slot 1)`);
  expect(JSON.stringify(act)).not.toContain(sealed[0]!.ciphertext);
  await expect(as("owner").escrow.take({ trail, index: 99 })).rejects.toThrow("no such recovery key");
});

test("a volume that this console ordered to be wiped takes its sealed keys with it, and the proofs stand", async () => {
  const { machine, workstation, volume, sealed, trail, wiped, order } = await desk();
  const id = await order(volume);
  await wiped(volume, id);
  await expect(as("admin").escrow.take({ trail, index: 1 })).rejects.toThrow("destroyed when its volume was wiped");

  // two workers look at once
  const counts = await Promise.all([destroyWiped(pool, recordConsole), destroyWiped(pool, recordConsole)]);
  expect(counts.reduce((sum, each) => sum + each)).toBe(2);
  expect(await destroyWiped(pool, recordConsole)).toBe(0);

  const rows = await listEscrow(pool, workstation);
  expect(rows.map(({ index, destroyedAt }) => [index, destroyedAt !== null])).toEqual([
    [3, true],
    [2, false],
    [1, true],
  ]);
  const kept = await pool.query<{ all: string }>(
    "SELECT (SELECT string_agg(e::text, ' ') FROM escrow e) || (SELECT string_agg(encode(coalesce(content, ''), 'escape'), ' ') FROM record) AS all",
  );
  expect(kept.rows[0]?.all).not.toContain(sealed[0]!.ciphertext);
  expect(kept.rows[0]?.all).not.toContain(sealed[2]!.ciphertext);
  expect(kept.rows[0]?.all).toContain(sealed[1]!.ciphertext);
  expect(await getRecord(pool, trail, 1, true)).toMatchObject({ salt: null, content: null });
  expect((await getRecord(pool, trail, 2, true)).content).toContain(sealed[1]!.ciphertext);
  // every entry is there, and hashes to the root that the workstation signed
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  expect(await leavesRoot(pool, machine.trail)).toBe(machine.rootOf(machine.records.length));

  const acts = (await consoleActs("console.escrow-destroyed")).filter(({ text }) => text.includes(volume));
  expect(acts.map(({ body }) => body.detail)).toMatchObject([
    { volume, slot: 1, command: id, record: { trail: machine.trail, index: 1 } },
    { volume, slot: 2, command: id, record: { trail: machine.trail, index: 3 } },
  ]);
});

test("what a workstation says of itself destroys nothing: no order, another's order, an order for another volume", async () => {
  const [mine, theirs] = [await desk(), await desk()];
  for (const id of [randomUUID(), await theirs.order(mine.volume), await mine.order(mine.other)])
    await mine.wiped(mine.volume, id);
  expect(await destroyWiped(pool, recordConsole)).toBe(0);
  expect((await listEscrow(pool, mine.workstation)).filter((row) => row.wiped)).toEqual([]);
});

test("a sealed key that comes again after the wipe, on a trail that was begun anew, is destroyed as well", async () => {
  const { machine, volume, sealed, wiped, order } = await desk();
  await wiped(volume, await order(volume));
  expect(await destroyWiped(pool, recordConsole)).toBe(2);
  machine.open({ trail: machine.trail, size: 5, root: machine.rootOf(5), reason: "older-disk" });
  machine.say(recovery(sealed[0]!));
  const anew = await takeIn(machine);
  expect(await destroyWiped(pool, recordConsole)).toBe(1);
  expect(await getRecord(pool, anew, 1, true)).toMatchObject({ content: null });
});

test("a machine that was enrolled again takes along what it had told as another, and nothing of anybody else", async () => {
  const [before, stranger, now] = [await desk(), await desk(), new Machine()];
  await enrolled(pool, now, group);
  now.open();
  now.say(recovery(before.sealed[0]!));
  // another's key of the volume, which this machine never told
  stranger.machine.say(recovery(sealedFor(stranger.workstation, before.volume, 1)));
  await takeIn(stranger.machine);
  await takeIn(now);
  expect((await listEscrow(pool, now.id)).map(({ digest }) => digest)).toEqual([sealedDigest(hash, before.sealed[0]!)]);

  const { id } = await as("admin").command.send({
    ...{ workstation: now.id, name: "machine", verb: "wipe" as const, arguments: { volume: before.volume } },
    ...{ minutes: 30, reason: "it was lost" },
  });
  const body = { command: id, volume: before.volume, areaBytes: 1, before: "a".repeat(64) };
  now.say({
    ...{ kind: "disk.wiped" as const, severity: "critical" as const, text: "wiped" },
    body: { ...body, parts: [], escrow: [], whole: true },
  });
  await takeIn(now);
  await expect(as("admin").escrow.take({ trail: before.trail, index: 1 })).rejects.toThrow("destroyed when its volume");
  expect(await destroyWiped(pool, recordConsole)).toBe(2);
  expect(await getRecord(pool, before.trail, 1, true)).toMatchObject({ salt: null, content: null });
  expect((await listEscrow(pool, before.workstation)).map(({ index, wiped }) => [index, wiped !== null])).toEqual([
    [3, false],
    [2, false],
    [1, true],
  ]);
  expect((await listEscrow(pool, stranger.workstation)).filter(({ wiped }) => wiped)).toEqual([]);

  // and should that very key come once more as the first, it is gone as well
  before.machine.say(recovery(before.sealed[0]!));
  await takeIn(before.machine);
  expect(await destroyWiped(pool, recordConsole)).toBe(1);
});

test("a key that is told again is listed once, as it came last", async () => {
  const { machine, workstation, sealed } = await desk();
  machine.say(recovery(sealed[2]!));
  await takeIn(machine);
  expect((await listEscrow(pool, workstation)).map(({ index, slot }) => [index, slot])).toEqual([
    [4, 2],
    [2, 1],
    [1, 1],
  ]);
});

test("what came before the inventory was kept is in it, and goes with its volume, wiped before or after", async () => {
  const [earlier, later] = [await desk(), await desk()];
  await earlier.wiped(earlier.volume, await earlier.order(earlier.volume));
  const both = [earlier.workstation, later.workstation];
  const all = async () => (await Promise.all(both.map((each) => listEscrow(pool, each)))).flat();
  const kept = (await all()).map((row) => ({ ...row, wiped: row.wiped?.command }));
  // as a console left it that kept none
  await pool.query("DELETE FROM escrow WHERE workstation_id = ANY ($1)", [both]);
  expect(await destroyWiped(pool, recordConsole)).toBe(0);

  expect(await fillEscrow(pool)).toBe(6);
  expect((await all()).map((row) => ({ ...row, wiped: row.wiped?.command }))).toEqual(kept);
  expect(await fillEscrow(pool)).toBe(0);
  expect(await destroyWiped(pool, recordConsole)).toBe(2);
  await later.wiped(later.volume, await later.order(later.volume));
  expect(await destroyWiped(pool, recordConsole)).toBe(2);
  for (const { trail } of [earlier, later])
    expect(await getRecord(pool, trail, 1, true)).toMatchObject({ salt: null, content: null });
  // what was destroyed is not brought back
  expect(await fillEscrow(pool)).toBe(0);
});
