/** The first promise, over the real thing: agent, broker, two workers and Postgres are killed while evidence is made, the
 *  network is cut in the middle of what is said, and the agent is given back an older disk. */
import { createHash, createPublicKey, randomUUID, verify as verifyNode } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { openCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { appendAll, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStatus } from "../../apps/agent/src/status.ts";
import { enrolled, Machine } from "../../apps/web/test/machine.ts";
import { type Stack, startStack } from "../../packages/up/src/start.ts";
import { cuttable } from "./cuttable.ts";
import { publish } from "./publish.ts";

const LINES = 6_000;
const LINES_AT_ONCE = 30;
/** All kills and their restarts, on a machine that other suites keep busy. */
const ARRIVE_MS = 180_000;
/** The network is cut so often, each time after so many bytes: some batches, and the one that is cut in half. */
const CUTS = 4;
const CUT_BYTES = 10_000;
const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const verify = (key: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url") };
  return verifyNode(null, bytes, createPublicKey({ key: jwk, format: "jwk" }), signature);
};

const line = (at: number) =>
  `${JSON.stringify({ timestamp: "2026-11-24T08:46:00.000001+0000", flow_id: at, event_type: "dns", src_ip: "10.0.0.5", dest_ip: "10.0.0.1", proto: "UDP", dns: { type: "query", rrname: `n${at}.example` } })}\n`;

describe("a workstation whose agent, broker, workers and database are killed while it observes", () => {
  let folder: string;
  let stack: Stack;
  /** Lines so far. */
  let written = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-fleet-"));
    stack = await startStack({ stateFolder: folder, ports: PORTS, console: false, workers: 2 });
    // what is written at once is more than a guest may say unasked
    const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 1 });
    const order = await publish(pool, stack, { log: { linesPerSecond: 100_000, burstLines: 1_000_000 } });
    await pool.end();
    const inForce = async () => {
      const [row] = await query<{ order: number | null }>(
        "SELECT (document #>> '{policy,order}')::int AS order FROM reported",
      );
      return row?.order === order;
    };
    for (const end = Date.now() + ARRIVE_MS; !(await inForce()); await delay(100))
      if (Date.now() > end) throw new Error(`policy ${order} is not in force\n${lastWords()}`);
  });
  afterAll(async () => {
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Fails while Postgres is away: then the caller asks again. */
  async function query<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: stack.databaseUrl });
    client.on("error", () => undefined);
    await client.connect();
    return client
      .query<T & pg.QueryResultRow>(sql, values)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  const stored = () =>
    query<{ flow: string }>(
      `SELECT convert_from(content, 'UTF8')::jsonb #>> '{body,event,dns,rrname}' AS flow FROM record
        WHERE kind = 'ids.event' ORDER BY trail, index`,
    );

  /** What each process said last: a stall on a far machine can be read. */
  const lastWords = () => [...stack.children].map(([name, child]) => `── ${name}\n${child.tail}`).join("\n");

  async function countReaches(count: number): Promise<void> {
    const end = Date.now() + ARRIVE_MS;
    for (let last = -1; ; ) {
      const got = await query<{ count: string }>("SELECT count(*) FROM record WHERE kind = 'ids.event'").then(
        ([row]) => Number(row?.count),
        () => last,
      );
      if (got >= count) return;
      last = got;
      if (Date.now() > end)
        throw new Error(`${got} of ${count} records are stored after ${ARRIVE_MS / 1000} s\n${lastWords()}`);
      await delay(100);
    }
  }

  it("has every line in the store, once, in order, under a checkpoint that verifies", async () => {
    const eve = stack.agent?.eveFile ?? "";
    const victims = ["agent", "worker", "broker", "agent", "postgres", "worker-2", "agent", "broker", "worker"];
    const round = Math.floor(LINES / (victims.length + 1));
    for (const [at, victim] of [...victims, undefined].entries()) {
      const upTo = victim === undefined ? LINES : (at + 1) * round;
      for (; written < upTo; ) {
        await write(Math.min(LINES_AT_ONCE, upTo - written));
      }
      if (at === 4) renameSync(eve, `${eve}.1`);
      if (!victim) continue;
      // something of this round is under way when it dies
      await countReaches(Math.max(0, at * round - round));
      stack.children.get(victim)?.kill(victim === "postgres" ? "SIGQUIT" : "SIGKILL");
    }
    await countReaches(LINES);
    await expectWhole();
    expect(await query("SELECT reason FROM quarantine")).toEqual([]);
  });

  async function write(lines: number): Promise<void> {
    appendFileSync(stack.agent?.eveFile ?? "", Array.from({ length: lines }, (_, at) => line(written + at)).join(""));
    written += lines;
    await delay(5);
  }

  /** Every line is there, once, in order, and each trail's newest checkpoint is signed by the workstation over exactly
   *  what is stored of it. */
  async function expectWhole(trailCount = 1): Promise<void> {
    const flows = (await stored()).map(({ flow }) => flow);
    expect(flows).toEqual(Array.from({ length: written }, (_, at) => `n${at}.example`));
    const trails = await query<{ num: number; origin: string; public_key: Buffer; checkpoint: string; size: string }>(
      "SELECT num, origin, public_key, checkpoint, size FROM trail WHERE workstation_id IS NOT NULL",
    );
    expect(trails).toHaveLength(trailCount);
    for (const trail of trails) {
      const rows = await query<{
        index: string;
        time: Date;
        kind: string;
        severity: number;
        guest: string | null;
        content_hash: Buffer;
        salt: Buffer;
        content: Buffer;
      }>("SELECT * FROM record WHERE trail = $1 ORDER BY index", [trail.num]);
      const leaves = rows.map((row) => {
        const content = toHex(row.content_hash);
        expect(toHex(hash(Buffer.concat([row.salt, row.content])))).toBe(content);
        const entry = {
          ...{ index: Number(row.index), time: row.time.toISOString(), kind: row.kind },
          ...{ severity: SEVERITIES[row.severity], content, ...(row.guest !== null && { guest: row.guest }) },
        };
        return leafHash(hash, entryText(entry as Parameters<typeof entryText>[0]));
      });
      const edge = appendAll(hash, EMPTY_EDGE, leaves);
      expect(edge.size).toBe(Number(trail.size));
      expect(openCheckpoint(hash, verify, trail.origin, trail.public_key, trail.checkpoint)).toEqual({
        ok: true,
        value: { origin: trail.origin, size: edge.size, root: root(hash, edge) },
      });
    }
  }

  it("has every line after the network was cut in the middle of a message, again and again, and then fell silent", async () => {
    const agent = stack.children.get("agent");
    const state = stack.agent?.state ?? "";
    const wire = await cuttable(stack.ports.mqtt);
    const facts = join(state, "enrolment", "enrolment.json");
    const kept = readFileSync(facts, "utf8");
    try {
      await agent?.stop();
      writeFileSync(facts, JSON.stringify({ ...JSON.parse(kept), mqtt: `mqtts://localhost:${wire.port}` }));
      wire.cutEvery(CUT_BYTES);
      agent?.start();
      for (const end = Date.now() + ARRIVE_MS; wire.cuts() < CUTS; ) {
        await write(LINES_AT_ONCE);
        await delay(50);
        if (Date.now() > end) throw new Error(`${wire.cuts()} of ${CUTS} cuts\n${lastWords()}`);
      }
      wire.cutEvery(undefined);
      await countReaches(written);
      wire.silence();
      await write(LINES_AT_ONCE);
      await countReaches(written);
      expect(wire.cuts()).toBeGreaterThan(CUTS);
      await expectWhole();
      expect(await query("SELECT reason FROM quarantine")).toEqual([]);
    } finally {
      await agent?.stop();
      writeFileSync(facts, kept);
      agent?.start();
      wire.stop();
    }
  });

  /** Enrolled like any, with a trail of its own that was never sent. */
  async function anotherWorkstation(): Promise<Machine> {
    const machine = new Machine();
    const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 1 });
    try {
      const { rows } = await pool.query<{ id: string }>('SELECT id FROM "group"');
      await enrolled(pool, machine, rows[0]?.id ?? "");
    } finally {
      await pool.end();
    }
    machine.open();
    for (let at = 0; at < 5; at++) machine.say({ text: `another's line ${at}` });
    return machine;
  }

  it("refuses a whole, signed batch of another workstation under this one's name, keeps the bytes, raises an alert, and goes on", async () => {
    const { connectAsync } = await import("mqtt");
    const worker = stack.keys.worker;
    const client = await connectAsync(stack.mqttUrl, {
      protocolVersion: 4,
      clientId: `forger-${randomUUID()}`,
      ca: readFileSync(stack.keys.ca),
      cert: readFileSync(worker.cert),
      key: readFileSync(worker.key),
    });
    const id = stack.agent?.workstation ?? "";
    const other = await anotherWorkstation();
    const before = await query("SELECT num, public_key FROM trail WHERE workstation_id = $1", [id]);
    // whole, signed by its own key, and with the right to any topic that a broken broker would have
    const batch = other.batch(0, other.records.length);
    await client.publishAsync(`sallyport/1/${id.slice(0, 2)}/${id}/batch`, Buffer.from(batch), { qos: 1 });
    await client.endAsync();
    const end = Date.now() + ARRIVE_MS;
    let kept: { workstation_id: string; code: string; bytes: Buffer }[] = [];
    while (kept.length === 0 && Date.now() < end) {
      kept = await query("SELECT workstation_id, code, bytes FROM quarantine");
      await delay(100);
    }
    // once, also where it was delivered twice
    expect(kept).toMatchObject([{ workstation_id: id, code: "checkpoint" }]);
    expect(kept[0]?.bytes.equals(batch)).toBe(true);
    expect(
      await query("SELECT kind FROM alert WHERE workstation_id = $1 AND kind = 'ingest.refused'", [id]),
    ).toHaveLength(1);
    // neither of the two got a record by it
    expect(await query("SELECT 1 FROM trail WHERE id = $1 OR workstation_id = $2", [other.trail, other.id])).toEqual(
      [],
    );
    expect(await query("SELECT num, public_key FROM trail WHERE workstation_id = $1", [id])).toEqual(before);
    await write(1);
    await countReaches(written);
  });

  it("opens a new trail, with an alert, once it is given back an older disk; what the console has stays, what is new comes", async () => {
    const agent = stack.children.get("agent");
    const { workstation, state, eveFile } = stack.agent ?? { workstation: "", state: "", eveFile: "" };
    const [before] = await query<{ id: string }>("SELECT id FROM trail WHERE workstation_id = $1", [workstation]);
    await write(LINES_AT_ONCE);
    await countReaches(written);
    await allReceipted(state);
    await agent?.stop();
    cpSync(state, `${state}.older`, { recursive: true });
    const { size } = statSync(eveFile);
    agent?.start();
    await write(LINES_AT_ONCE * 5);
    await countReaches(written);
    await agent?.stop();
    rmSync(state, { recursive: true });
    renameSync(`${state}.older`, state);
    truncateSync(eveFile, size); // it lies on the same disk
    agent?.start();
    await write(LINES_AT_ONCE * 5);
    await countReaches(written);
    await expectWhole(2);
    const trails = await query<{ id: string; state: string }>(
      "SELECT id, state FROM trail WHERE workstation_id = $1 ORDER BY num",
      [workstation],
    );
    expect(trails).toMatchObject([{ id: before?.id, state: "forked" }, { state: "open" }]);
    const alerts = await query<{ reason: string }>(
      "SELECT reason FROM alert WHERE workstation_id = $1 AND kind = 'trail.opened'",
      [workstation],
    );
    expect(alerts.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(new RegExp(`^a new trail goes on from ${before?.id} at \\d+: (older-disk|fork)$`)),
    ]);
  });

  /** The agent itself knows that the console has all that it holds. */
  async function allReceipted(state: string): Promise<void> {
    for (const end = Date.now() + ARRIVE_MS; ; await delay(100)) {
      const { trail, committed } = readStatus(state);
      if (trail && committed === trail.size) return;
      if (Date.now() > end) throw new Error(`${committed} of ${trail?.size} are receipted\n${lastWords()}`);
    }
  }
});
