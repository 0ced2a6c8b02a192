/** Batches in any order, doubled, forged, on two workers at once: what is stored is what was sent, once, in order. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { openReceipt, type Receipt } from "@sallyport/shared/trail/receipt.ts";
import fc from "fast-check";
import pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { ClockWatch, doubtWords } from "../src/ingest/clock.ts";
import { Ingest } from "../src/ingest/ingest.ts";
import { openPartitions, sealEnded, splitFull } from "../src/ingest/partitions.ts";
import { readSigner, verify } from "../src/trail/crypto.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { enrolled, Machine } from "./machine.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { entriesOf, leavesRoot, storedRoot } from "./stored.ts";

let postgres: TestPostgres;
let pool: pg.Pool;
const group = randomUUID();
const signer = readSigner(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }));

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = new pg.Pool({ connectionString: postgres.url, max: 6 });
  pool.on("error", () => undefined); // the server is stopped under it at the end
  await pool.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [group, "first"]);
  await openPartitions(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** A partition that is split ends so soon. */
const SPLIT_AHEAD_MS = 500;

class Desk {
  readonly receipts: Receipt[] = [];
  readonly ingest: Ingest;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;
  constructor(now = Date.now, clockDoubt?: () => string | undefined) {
    const publish = async (_: string, text: string) => {
      const receipt = openReceipt(verify, signer.publicKey, text);
      if (!receipt.ok) throw new Error(receipt.error);
      this.receipts.push(receipt.value);
    };
    this.ingest = new Ingest({
      pool,
      signer,
      publish,
      log: pino({ level: "silent" }),
      now,
      ...(clockDoubt && { clockDoubt }),
    });
    this.#run = this.ingest.run(this.#stop.signal);
  }
  async send(machine: Machine, bytes: Uint8Array, as: WorkstationId = machine.id): Promise<void> {
    await this.ingest.receive(as, `sallyport/1/${as.slice(0, 2)}/${as}/batch`, bytes);
  }
  settled = () => vi.waitFor(() => expect(this.ingest.isIdle()).toBe(true), { timeout: 20_000 });
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }
}

async function machineOf(records: number): Promise<Machine> {
  const machine = new Machine();
  await enrolled(pool, machine, group);
  machine.open();
  for (let at = 0; at < records; at++) machine.say({ text: `line ${at}`, ...(at % 3 === 0 && { guest: "work" }) });
  return machine;
}

test("what a workstation sends is stored once, in order, and receipted with the root it signed", async () => {
  const machine = await machineOf(700);
  const desk = new Desk();
  for (let at = 0; at < 701; at += 100) await desk.send(machine, machine.batch(at, Math.min(701, at + 100)));
  await desk.settled();
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  expect(desk.receipts.at(-1)).toMatchObject({ size: 701, safe: 701, answer: "new", trail: machine.trail });
  expect(await storedRoot(pool, machine.trail)).toBe(desk.receipts.at(-1)!.root);
  expect(await leavesRoot(pool, machine.trail)).toBe(desk.receipts.at(-1)!.root);
  await desk.stop();
});

test("batches doubled, reordered and dropped on two workers at once end whole, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ at: fc.nat(19), desk: fc.nat(1), pause: fc.boolean() }), { minLength: 5, maxLength: 40 }),
      async (sends) => {
        const machine = await machineOf(599);
        const desks = [new Desk(), new Desk()];
        for (const { at, desk, pause } of sends) {
          await desks[desk]!.send(machine, machine.batch(at * 30, at * 30 + 30));
          if (pause) await desks[desk]!.settled();
        }
        // go-back-N until all is in, as an agent does
        for (let at = 0; at < 600; at += 30) await desks[at % 2]!.send(machine, machine.batch(at, at + 30));
        for (const desk of desks) await desk.settled();
        for (let at = 0; at < 600; at += 30) await desks[0]!.send(machine, machine.batch(at, at + 30));
        await desks[0]!.settled();
        expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
        expect(desks[0]!.receipts.at(-1)).toMatchObject({ size: 600 });
        const forks = [...desks[0]!.receipts, ...desks[1]!.receipts].filter(({ answer }) => answer === "fork");
        expect(forks).toEqual([]);
        expect(await leavesRoot(pool, machine.trail)).toBe(desks[0]!.receipts.at(-1)!.root);
        await Promise.all(desks.map((desk) => desk.stop()));
      },
    ),
    { numRuns: 12 },
  );
});

test("a forged signature, an altered content, a torn message and another's name are refused, kept and shown; the rest goes in", async () => {
  const machine = await machineOf(99);
  const other = await machineOf(1);
  const desk = new Desk();
  await desk.send(machine, machine.batch(0, 50));
  await desk.send(
    machine,
    machine.batch(50, 60, (header, lines) => [
      { ...header, checkpoint: header.checkpoint.replace(/.{6}\n$/, "AAAAA=\n") },
      lines,
    ]),
  );
  await desk.send(
    machine,
    machine.batch(50, 60, (header, lines) => [header, lines.replace("line 5", "line 6")]),
  );
  await desk.send(machine, machine.batch(50, 60).slice(0, 300));
  await desk.send(machine, machine.batch(0, 50), other.id);
  await desk.send(machine, machine.batch(0, 50), randomUUID() as string as WorkstationId);
  await desk.send(machine, machine.batch(50, 100));
  await desk.settled();
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  const { rows } = await pool.query("SELECT code FROM quarantine WHERE workstation_id = ANY($1) ORDER BY id", [
    [machine.id, other.id],
  ]);
  expect(rows.map(({ code }) => code).sort()).toEqual(["checkpoint", "hash", "malformed", "trail"]);
  const alerts = await pool.query("SELECT kind FROM alert WHERE workstation_id = $1", [machine.id]);
  expect(alerts.rows.length).toBe(3);
  expect(desk.receipts.some(({ answer, workstation }) => answer === "refused" && workstation === machine.id)).toBe(
    true,
  );
  await desk.stop();
});

test("a content that cannot be read, an unknown kind, NUL and lone surrogates are stored and marked, and stop nothing", async () => {
  const machine = await machineOf(0);
  machine.say({ kind: "later.kind", text: "from the future", body: {} });
  machine.say({ text: "nul \u0000 here" });
  machine.say({ kind: "ids.alert", body: { nothing: true } });
  machine.say({ time: "0000-01-01T00:00:00.000Z", text: "a clock at year nought" });
  machine.say({ time: "9999-12-31T23:59:59.999Z" });
  const desk = new Desk();
  await desk.send(machine, machine.batch(0, machine.records.length));
  await desk.settled();
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  const { rows } = await pool.query(
    "SELECT r.text, r.marked FROM record r JOIN trail t ON t.num = r.trail WHERE t.id = $1 ORDER BY r.index",
    [machine.trail],
  );
  expect(rows[1].marked).toMatch(/does not know the kind later.kind/);
  expect(rows[2]).toEqual({ text: "nul \u2400 here", marked: null });
  expect(rows[3].marked).toMatch(/the body/);
  await desk.stop();
});

test("a workstation that contradicts what is committed gets a fork and an alert; a clone that goes on is quarantined", async () => {
  const machine = await machineOf(49);
  const desk = new Desk();
  await desk.send(machine, machine.batch(0, 50));
  await desk.settled();
  const clone = new Machine(machine.id);
  Object.assign(clone, {
    records: machine.records.slice(0, 40),
    edges: machine.edges.slice(0, 41),
    trail: machine.trail,
    sign: machine.sign,
    publicKey: machine.publicKey,
  });
  for (let at = 0; at < 20; at++) clone.say({ text: "another history" });
  await desk.send(clone, clone.batch(40, 60));
  await desk.settled();
  expect(desk.receipts.at(-1)).toMatchObject({ answer: "fork", size: 50 });
  const old = { trail: machine.trail, size: 40, root: "0".repeat(64), reason: "fork" };
  clone.open(old);
  await desk.send(clone, clone.batch(0, 1));
  await desk.settled();
  expect(desk.receipts.at(-1)).toMatchObject({ answer: "new", size: 1, trail: clone.trail });
  machine.say({ text: "the first one lives too" });
  await desk.send(machine, machine.batch(50, 51));
  await desk.settled();
  expect(desk.receipts.at(-1)).toMatchObject({ answer: "refused" });
  const { rows } = await pool.query("SELECT state FROM workstation WHERE id = $1", [machine.id]);
  expect(rows[0].state).toBe("quarantined");
  const alerts = await pool.query("SELECT kind FROM alert WHERE workstation_id = $1 AND kind = 'trail.fork'", [
    machine.id,
  ]);
  expect(alerts.rows.length).toBe(2);
  await desk.stop();
});

test("what a restored console lost and the agent no longer holds is named in a signed loss range", async () => {
  const machine = await machineOf(29);
  const desk = new Desk();
  await desk.send(machine, machine.batch(0, 30));
  await desk.settled();
  await pool.query("UPDATE console_state SET epoch = epoch + 1");
  const old = machine.trail;
  machine.open({ trail: old, size: 80, root: "0".repeat(64), reason: "console-restored" });
  await desk.send(machine, machine.batch(0, 1));
  await desk.settled();
  expect(desk.receipts.at(-1)).toMatchObject({ answer: "new", epoch: 1 });
  const { rows } = await pool.query(
    `SELECT l."from", l."to" FROM loss l JOIN trail t ON t.num = l.trail WHERE t.id = $1`,
    [old],
  );
  expect(rows).toEqual([{ from: "30", to: "80" }]);
  await desk.stop();
});

test("a clock that jumps back breaks nothing, and partitions are split and sealed with their search indexes", async () => {
  let now = Date.now();
  const desk = new Desk(() => now);
  const machine = await machineOf(29);
  await desk.send(machine, machine.batch(0, 10));
  await desk.settled();
  expect(await splitFull(pool, 1, SPLIT_AHEAD_MS)).toBe(true);
  await vi.waitFor(async () => expect((await sealEnded(pool, 0)).length).toBe(1), { timeout: 60_000 });
  now -= 90_000_000;
  await desk.send(machine, machine.batch(10, 20));
  await desk.settled();
  desk.ingest.partitionsChanged();
  await desk.send(machine, machine.batch(20, 30));
  await desk.settled();
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  const { rows } = await pool.query("SELECT count(*)::int AS n FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'");
  expect(rows[0].n).toBe(1);
  await desk.stop();
});

test("while the clock is in doubt nothing is committed, and then all of it at the right time", async () => {
  const YEAR_MS = 365 * 86_400_000;
  let aheadMs = 0;
  let asked = 0;
  const watch = new ClockWatch(Date.now(), performance.now());
  const desk = new Desk(
    () => Date.now() + aheadMs,
    () => {
      asked++;
      const doubt = watch.look(Date.now() + aheadMs, performance.now());
      return doubt && doubtWords(doubt);
    },
  );
  const machine = await machineOf(9);
  aheadMs = YEAR_MS;
  await desk.send(machine, machine.batch(0, 10));
  await vi.waitFor(() => expect(asked).toBeGreaterThan(2), { timeout: 60_000 });
  expect(desk.receipts).toEqual([]);
  expect(await entriesOf(pool, machine.trail)).toEqual([]);
  aheadMs = 0;
  await desk.settled();
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  const { rows } = await pool.query<{ off: number }>(
    `SELECT max(abs(extract(epoch FROM r.received - now())))::float AS off FROM record r JOIN trail t ON t.num = r.trail
      WHERE t.id = $1`,
    [machine.trail],
  );
  expect(rows[0]!.off).toBeLessThan(6 * 3_600);
  await desk.stop();
});

test("a worker that has not heard of a split writes its ranges as its records lie", async () => {
  const desk = new Desk();
  const machine = await machineOf(31);
  await desk.send(machine, machine.batch(0, 10));
  await desk.settled();
  expect(await splitFull(pool, 1, SPLIT_AHEAD_MS)).toBe(true);
  const ended = "SELECT 1 FROM record_partition WHERE received_to <= clock_timestamp() AND sealed_at IS NULL";
  await vi.waitFor(async () => expect((await pool.query(ended)).rows).toHaveLength(1), { timeout: 60_000 });
  await desk.send(machine, machine.batch(10, 20));
  await desk.settled();
  const lies = await pool.query<{ index: string; in: string; said: string }>(
    `SELECT r.index, r.tableoid::regclass::text AS "in", g.partition AS said FROM record r JOIN trail t ON t.num = r.trail
       LEFT JOIN record_range g ON g.trail = r.trail AND g."from" <= r.index AND g."to" > r.index
      WHERE t.id = $1`,
    [machine.trail],
  );
  expect(lies.rows).toHaveLength(20);
  expect(new Set(lies.rows.map((row) => row.in)).size).toBe(2);
  for (const row of lies.rows) expect(row.said).toBe(row.in);
  await desk.stop();
});

test("what is refused and comes again lies there once and is counted, in one go, in another, and from two workers at once; later it is new", async () => {
  const machine = await machineOf(3);
  const topic = `sallyport/1/${machine.id.slice(0, 2)}/${machine.id}/presence`;
  const desks = [new Desk(), new Desk()];
  const refused = (text: string) =>
    ({ code: "malformed", workstation: machine.id, topic, reason: "not JSON", bytes: Buffer.from(text) }) as const;
  const kept = async () => {
    const { rows } = await pool.query<{ said: string }>(
      `SELECT convert_from(bytes, 'UTF8') || ' ' || again AS said FROM quarantine WHERE workstation_id = $1 ORDER BY id`,
      [machine.id],
    );
    return rows.map(({ said }) => said);
  };
  for (const text of ["a", "b", "a"]) await desks[0]!.ingest.refuse(refused(text));
  await desks[0]!.settled();
  expect(await kept()).toEqual(["a 1", "b 0"]);
  for (let round = 0; round < 20; round++) {
    await Promise.all(desks.map(({ ingest }) => ingest.refuse(refused("a"))));
    await Promise.all(desks.map((desk) => desk.settled()));
  }
  expect(await kept()).toEqual(["a 41", "b 0"]);
  // on another topic, and by other words, it is another one
  await desks[0]!.ingest.refuse({ ...refused("b"), topic: `${topic}/x` });
  await desks[0]!.ingest.refuse({ ...refused("b"), code: "topic" });
  await desks[0]!.settled();
  expect(await kept()).toEqual(["a 41", "b 0", "b 0", "b 0"]);
  await pool.query("UPDATE quarantine SET received = now() - interval '11 minutes' WHERE workstation_id = $1", [
    machine.id,
  ]);
  await desks[0]!.ingest.refuse(refused("a"));
  await desks[0]!.settled();
  expect(await kept()).toEqual(["a 41", "b 0", "b 0", "b 0", "a 0"]);
  const alerts = await pool.query("SELECT sum(count)::int AS n FROM alert WHERE workstation_id = $1", [machine.id]);
  expect(alerts.rows).toEqual([{ n: 46 }]);
  for (const desk of desks) await desk.stop();
});

test("a flood of what cannot be read waits its turn, keeps what it may and is counted to the last one", async () => {
  const desk = new Desk();
  const id = (await machineOf(37)).id;
  const topic = `sallyport/1/${id.slice(0, 2)}/${id}/presence`;
  const messages = 5_000;
  // each another one: of the same message again there is one row
  const bytes = (number: number) => {
    const each = Buffer.alloc(100_000);
    each.writeUInt32BE(number);
    return each;
  };
  const blocker = await pool.connect();
  await blocker.query("BEGIN");
  await blocker.query("LOCK TABLE quarantine IN ACCESS EXCLUSIVE MODE");
  let accepted = 0;
  const sending = (async () => {
    for (; accepted < messages; accepted++)
      await desk.ingest.refuse({
        code: "malformed",
        workstation: id,
        topic,
        reason: "not JSON",
        bytes: bytes(accepted),
      });
  })();
  // one group is under way and one waits, of 32 MiB each: the broker has the rest
  await vi.waitFor(() => expect(accepted).toBeGreaterThan(335), { timeout: 60_000 });
  await delay(500);
  expect(accepted).toBeLessThan(700);
  await blocker.query("COMMIT");
  blocker.release();
  await sending;
  await desk.settled();
  const { rows } = await pool.query<{ kept: number; more: number; size: number }>(
    `SELECT count(*) FILTER (WHERE more = 0)::int AS kept, sum(more)::int AS more, sum(octet_length(bytes))::int AS size
       FROM quarantine WHERE workstation_id = $1`,
    [id],
  );
  expect(rows[0]!.kept + rows[0]!.more).toBe(messages);
  expect(rows[0]!.kept).toBeGreaterThan(0);
  expect(rows[0]!.size).toBeLessThanOrEqual(100 * 64 * 1024);
  const said = await pool.query("SELECT reason FROM quarantine WHERE workstation_id = $1 AND more > 0", [id]);
  expect(said.rows[0].reason).toMatch(/^and \d+ more within a minute, refused and not kept; the last: not JSON$/);
  const alert = await pool.query("SELECT count FROM alert WHERE workstation_id = $1 AND kind = 'ingest.refused'", [id]);
  expect(alert.rows.reduce((sum, { count }) => sum + count, 0)).toBe(messages);
  await desk.stop();
});

test("the console's own trail fills tiles and bundles as any other does", async () => {
  const record = consoleRecorder(signer);
  const tx = await pool.connect();
  for (let at = 0; at < 520; at++)
    await record(tx, { kind: "person.signed-in", severity: "info", text: `act ${at}`, body: { actor: { id: "p" } } });
  tx.release();
  const { rows } = await pool.query("SELECT id, num, size FROM trail WHERE workstation_id IS NULL");
  expect(rows[0].size).toBe("520");
  expect(await leavesRoot(pool, rows[0].id)).toBe(await storedRoot(pool, rows[0].id));
  const full = await pool.query(
    `SELECT (SELECT count(*)::int FROM tile WHERE trail = $1) AS tiles,
            (SELECT count(*)::int FROM entry_bundle WHERE trail = $1) AS bundles`,
    [rows[0].num],
  );
  expect(full.rows[0]).toEqual({ tiles: 2, bundles: 2 });
  const ranges = await pool.query('SELECT "from", "to" FROM record_range WHERE trail = $1 ORDER BY "from"', [
    rows[0].num,
  ]);
  expect(ranges.rows[0].from).toBe("0");
  expect(ranges.rows.at(-1).to).toBe("520");
});
