/** Commands from the procedure to the topic, and a workstation's answers back to the row. */
import "reflect-metadata";
import { randomUUID } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { SignedStatement, type Signers } from "@sallyport/shared/policy/statement.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { CommandDispatch } from "../src/dispatch/commands.ts";
import { storeAnswer } from "../src/ingest/command.ts";
import type { Role } from "../src/person/role.ts";
import { hash, verify } from "../src/trail/crypto.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";

const WAIT = { timeout: 120_000, interval: 20 };
const consoleKey = newSigner();
let postgres: TestPostgres;
let pool: pg.Pool;
let group: string;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  await migrate(postgres.url);
  await seedPartition(pool);
  group = await seedGroup(pool, "desks", consoleKey.publicKey);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

function as(role: Role, recordConsole: Context["wiring"]["recordConsole"] = consoleRecorder(consoleKey)) {
  const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true } as const;
  const wiring = { pool, consoleKey, recordConsole } as unknown as Context["wiring"];
  const context: Context = { wiring, actor, still: async () => actor, origin: {}, host: "x" };
  return appRouter.createCaller(context).command;
}
const station = async (name: string, of = group) => (await seedWorkstation(pool, { name, group: of })) as WorkstationId;
const until = () => new Date(Date.now() + 3_600_000).toISOString();
const isolate = (workstation: WorkstationId, name: string) => ({
  workstation,
  name,
  verb: "isolate" as const,
  arguments: { until: until() },
  minutes: 30,
  reason: "it speaks to a stranger",
});
const answer = async (workstation: string, kind: string, body: object) => {
  const tx = await pool.connect();
  try {
    await storeAnswer(tx, { workstation, kind, body, timeMs: Date.now() });
  } finally {
    tx.release();
  }
};

test("a responder's isolation is signed, sent until it is answered, and shows what the workstation said", async () => {
  const workstation = await station("desk-1");
  const { id } = await as("responder").send(isolate(workstation, "desk-1"));
  expect((await as("viewer").list({ workstation })).rows).toMatchObject([
    { id, verb: "isolate", state: { state: "sent" } },
  ]);

  const sent: { topic: string; statement: unknown; retain: boolean }[] = [];
  const dispatch = new CommandDispatch({
    pool,
    log: pino({ level: "silent" }),
    shards: () => [workstation.slice(0, 2)],
    publish: async (topic, text, retain) => void sent.push({ topic, statement: JSON.parse(text), retain }),
  });
  const stopping = new AbortController();
  const running = dispatch.run(stopping.signal);
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(0), WAIT);
  expect(sent[0]).toMatchObject({
    topic: `sallyport/1/${workstation.slice(0, 2)}/${workstation}/command`,
    retain: false,
  });
  const statement = SignedStatement.parse(sent[0]!.statement);
  const signers: Signers = {
    threshold: 1,
    keys: [{ id: keyId(hash, consoleKey.publicKey), publicKey: toBase64(consoleKey.publicKey), role: "console" }],
  };
  const trust = { workstation, group: group as never, signers, orders: {}, now: Date.now() };
  expect(verifyStatement(hash, verify, trust, statement).ok).toBe(true);

  // nobody has answered: it is sent again
  const before = sent.length;
  dispatch.wake();
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(before), WAIT);
  const about = { command: id, verb: "isolate", digest: "a".repeat(64) };
  const finished = new Date().toISOString();
  await answer(await station("another"), "command.done", { ...about, outcome: "done", finished });
  expect((await as("viewer").list({ workstation })).rows[0]?.state.state).toBe("sent");
  await answer(workstation, "command.received", { ...about, order: 1, notAfter: finished });
  expect((await as("viewer").list({ workstation })).rows[0]?.state.state).toBe("received");
  await answer(workstation, "command.done", { ...about, outcome: "failed", reason: "no firewall", finished });
  await answer(workstation, "command.done", { ...about, outcome: "done", finished });
  expect((await as("viewer").list({ workstation })).rows[0]?.state).toMatchObject({
    state: "failed",
    reason: "no firewall",
  });
  stopping.abort();
  await running;
  const { rows } = await pool.query<{ text: string }>("SELECT text FROM record WHERE kind = 'person.command-sent'");
  expect(rows.map(({ text }) => text)).toEqual([
    "responder@example.org told desk-1 to isolate: it speaks to a stranger",
  ]);
});

test("who may tell what, and what the console's key alone cannot", async () => {
  const strict = await seedGroup(pool, "strict", consoleKey.publicKey);
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [strict]);
  const [plain, guarded] = [await station("desk-2"), await station("desk-3", strict)];
  const wipe = (workstation: WorkstationId, name: string) => ({
    workstation,
    name,
    verb: "wipe" as const,
    arguments: { volume: randomUUID() },
    minutes: 60,
    reason: "it was lost",
  });
  await expect(as("viewer").send(isolate(plain, "desk-2"))).rejects.toThrow("As viewer you may not isolate");
  await expect(as("responder").send(wipe(plain, "desk-2"))).rejects.toThrow("As responder you may not end guests");
  await expect(as("admin").send(wipe(guarded, "desk-3"))).rejects.toThrow("In strict this needs 2 signatures");
  await expect(as("admin").send(wipe(plain, "desk-9"))).rejects.toThrow("is called desk-2 by now");
  await expect(as("admin").send({ ...wipe(plain, "desk-2"), arguments: {} })).rejects.toThrow("volume");
  const long = { until: new Date(Date.now() + 30 * 86_400_000).toISOString() };
  await expect(as("admin").send({ ...isolate(plain, "desk-2"), arguments: long })).rejects.toThrow("at most 7 days");
  expect((await as("admin").list({ workstation: plain })).rows).toEqual([]);
  await as("admin").send(wipe(plain, "desk-2"));
  await as("responder").send(isolate(guarded, "desk-3"));
  const orders = await pool.query<{ order: string }>('SELECT "order" FROM command ORDER BY "order"');
  expect(Number(orders.rows[0]!.order)).toBeGreaterThan(1_700_000_000);
});

test("many are told one thing, each on its own, and one that says no stops no other", async () => {
  const strict = await seedGroup(pool, "vault", consoleKey.publicKey);
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [strict]);
  const [first, renamed, guarded] = [await station("hall-1"), await station("hall-2"), await station("hall-3", strict)];
  const order = { verb: "pause" as const, arguments: {}, minutes: 30, reason: "a worm was seen" };
  const seen = [
    { workstation: first, name: "hall-1", arguments: { guest: "work" } },
    { workstation: renamed, name: "hall-9", arguments: { guest: "play" } },
    { workstation: guarded, name: "hall-3", arguments: { guest: "work" } },
  ];
  await expect(as("viewer").tell({ ...order, targets: seen })).rejects.toThrow("As viewer you may not isolate");
  const [twice] = seen;
  await expect(as("admin").tell({ ...order, targets: [twice!, twice!] })).rejects.toThrow("each of them once");
  const wipe = { ...order, verb: "wipe", targets: seen } as unknown as Parameters<ReturnType<typeof as>["tell"]>[0];
  await expect(as("admin").tell(wipe)).rejects.toThrow("verb");

  const [told, ...refused] = await as("responder").tell({ ...order, targets: seen });
  expect(told).toEqual({ workstation: first, name: "hall-1", command: expect.any(String), waits: false });
  expect(refused).toEqual([
    { workstation: renamed, name: "hall-9", refused: expect.stringContaining("is called hall-2 by now") },
    { workstation: guarded, name: "hall-3", refused: expect.stringContaining("In vault this needs 2 signatures") },
  ]);
  const { command: id } = told as { command: string };
  expect(await as("viewer").states({ ids: [id as never] })).toMatchObject([
    { id, workstation: first, name: "hall-1", verb: "pause", state: { state: "sent" } },
  ]);
  const { rows } = await pool.query("SELECT verb, arguments FROM command WHERE workstation_id = ANY($1::uuid[])", [
    [first, renamed, guarded],
  ]);
  expect(rows).toEqual([{ verb: "pause", arguments: { guest: "work" } }]);
  const records = await pool.query<{ text: string }>("SELECT text FROM record WHERE text LIKE '%hall-%'");
  expect(records.rows.map(({ text }) => text)).toEqual(["responder@example.org told hall-1 to pause: a worm was seen"]);
});

test("what an admin ended a responder starts again, and where approvers must sign neither by the console's key alone", async () => {
  const careful = await seedGroup(pool, "careful", consoleKey.publicKey);
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [careful]);
  const [plain, guarded] = [await station("desk-7"), await station("desk-8", careful)];
  const about = (verb: "destroy-guest" | "start-guest", workstation: WorkstationId, name: string) => ({
    ...{ workstation, name, verb, arguments: { guest: "work" }, minutes: 60 },
    reason: "it was seized, and is given back",
  });
  await expect(as("responder").send(about("destroy-guest", plain, "desk-7"))).rejects.toThrow("you may not end guests");
  await as("admin").send(about("destroy-guest", plain, "desk-7"));
  await expect(as("viewer").send(about("start-guest", plain, "desk-7"))).rejects.toThrow("As viewer you may not");
  const { id } = await as("responder").send(about("start-guest", plain, "desk-7"));
  await expect(as("responder").send(about("start-guest", guarded, "desk-8"))).rejects.toThrow("needs 2 signatures");
  await expect(as("responder").send({ ...about("start-guest", plain, "desk-7"), arguments: {} })).rejects.toThrow(
    "guest",
  );
  const { rows: listed } = await as("viewer").list({ workstation: plain });
  expect(listed.map(({ verb }) => verb)).toEqual(["start-guest", "destroy-guest"]);
  const found = await pool.query<{ carried: string }>(
    "SELECT statement ->> 'carried' AS carried FROM command WHERE id = $1",
    [id],
  );
  expect(JSON.parse(found.rows[0]!.carried)).toMatchObject({ verb: "start-guest", arguments: { guest: "work" } });
});

test("a console that fails half-way says who was told, at whom it failed, and who was not", async () => {
  const names = ["row-1", "row-2", "row-3"];
  const ids = await Promise.all(names.map((name) => station(name)));
  const targets = names.map((name, at) => ({ workstation: ids[at]!, name }));
  const order = { verb: "rescan" as const, arguments: {}, minutes: 30, reason: "new definitions", targets };
  const failingAt = (name: string) =>
    as("admin", async (tx, record) => {
      if (record.text.includes(name)) throw new Error("the disk is full");
      return consoleRecorder(consoleKey)(tx, record);
    });
  await expect(failingAt("row-1").tell(order)).rejects.toThrow("The console failed at this");
  expect(await failingAt("row-2").tell(order)).toEqual([
    { workstation: ids[0], name: "row-1", command: expect.any(String), waits: false },
    { workstation: ids[1], name: "row-2", refused: expect.stringContaining("The console failed at this one") },
    { workstation: ids[2], name: "row-3", refused: expect.stringContaining("Not told") },
  ]);
  const sent = await pool.query("SELECT workstation_id FROM command WHERE workstation_id = ANY($1::uuid[])", [ids]);
  expect(sent.rows).toEqual([{ workstation_id: ids[0] }]);
});

test("what a restored console orders is above what it gave since its backup, whatever waits for people", async () => {
  const workstation = await station("desk-6");
  const seconds = Math.floor(Date.now() / 1000);
  await as("responder").send(isolate(workstation, "desk-6"));
  const sent = await pool.query<{ statement: unknown; order: string }>(
    'SELECT statement, "order" FROM command WHERE workstation_id = $1',
    [workstation],
  );
  const { statement, order } = sent.rows[0]!;
  const id = keyId(hash, consoleKey.publicKey);
  const signers: Signers = { threshold: 2, keys: [{ id, publicKey: toBase64(consoleKey.publicKey), role: "console" }] };
  // it took an isolation a second ago, and a wipe by an older console whose order was the week's end: both are lost here
  const series = `command/workstation/${workstation}`;
  const orders = { [series]: seconds + 604_800, [`${series}/${id}`]: seconds - 1 };
  const trust = { workstation, group: group as never, signers, orders, now: Date.now() };
  expect(verifyStatement(hash, verify, trust, statement)).toMatchObject({ ok: true });
  expect(Number(order)).toBeLessThan(seconds + 60);
});

test("a refusal names the statement, and ends the command it carries", async () => {
  const workstation = await station("desk-4");
  await as("admin").send(isolate(workstation, "desk-4"));
  const { rows } = await pool.query<{ digest: string }>("SELECT digest FROM command WHERE workstation_id = $1", [
    workstation,
  ]);
  const body = { type: "command", digest: rows[0]!.digest, order: 1, code: "signatures", reason: "too few" };
  await answer(workstation, "policy.refused", { ...body, type: "policy" });
  expect((await as("viewer").list({ workstation })).rows[0]?.state.state).toBe("sent");
  await answer(workstation, "policy.refused", body);
  expect((await as("viewer").list({ workstation })).rows[0]?.state).toMatchObject({
    state: "failed",
    reason: "The workstation refused it: too few",
  });
});

test("an isolation does not wait behind orders to workstations that are away, however many", async () => {
  const away = await station("away-0");
  const { id } = await as("admin").send({ ...isolate(away, "away-0"), minutes: 600 });
  const others = await Promise.all(Array.from({ length: 1_200 }, (_, at) => station(`away-${at + 1}`)));
  await pool.query(
    `INSERT INTO command SELECT gen_random_uuid(), station, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                                not_after, standing, state FROM command, unnest($2::uuid[]) station WHERE id = $1`,
    [id, others],
  );
  const infected = await station("infected");
  const wanted = await as("responder").send(isolate(infected, "infected"));
  await pool.query('UPDATE command SET "order" = "order" + 1 WHERE id = $1', [wanted.id]); // behind all of them
  const { rows } = await pool.query("SELECT DISTINCT shard FROM workstation");
  const sent: string[] = [];
  const dispatch = new CommandDispatch({
    pool,
    log: pino({ level: "silent" }),
    shards: () => rows.map(({ shard }) => shard as string),
    publish: async (topic) => void sent.push(topic.split("/")[3]!),
  });
  const stopping = new AbortController();
  const running = dispatch.run(stopping.signal);
  await vi.waitFor(() => expect(sent).toContain(infected), WAIT);
  await vi.waitFor(() => expect(new Set(sent).size).toBeGreaterThanOrEqual(1_202), WAIT);
  stopping.abort();
  await running;
  await pool.query("UPDATE command SET standing = 'expired' WHERE id <> $1 AND standing = 'sent'", [wanted.id]);
});

test("what nobody answered in time has expired, until the workstation says otherwise", async () => {
  const workstation = await station("desk-5");
  const { id } = await as("admin").send(isolate(workstation, "desk-5"));
  await pool.query("UPDATE command SET not_after = now() - interval '1 hour' WHERE id = $1", [id]);
  const dispatch = new CommandDispatch({
    pool,
    log: pino({ level: "silent" }),
    shards: () => [],
    publish: async () => undefined,
  });
  const stopping = new AbortController();
  const running = dispatch.run(stopping.signal);
  const state = async () => (await as("viewer").list({ workstation })).rows[0]?.state;
  await vi.waitFor(async () => expect(await state()).toMatchObject({ state: "expired", by: "console" }), WAIT);
  stopping.abort();
  await running;
  const finished = new Date().toISOString();
  await answer(workstation, "command.done", { command: id, digest: "a".repeat(64), outcome: "done", finished });
  expect(await state()).toMatchObject({ state: "done" });
});
