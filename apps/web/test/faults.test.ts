/** Everything between an agent and the table fails, often: the worker is killed, the database goes away, the broker
 *  drops what it acknowledged. Afterwards all records are there, once, in order, under the root that was signed. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openReceipt } from "@sallyport/shared/trail/receipt.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import { Aedes } from "aedes";
import mqtt from "mqtt";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { readSigner, verify } from "../src/trail/crypto.ts";
import { enrolled, Machine } from "./machine.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { entriesOf, leavesRoot } from "./stored.ts";
import { ensureKeys } from "./up.ts";

const WORKER = fileURLToPath(new URL("../src/worker.ts", import.meta.url));
const RECORDS = 1_000;
const BATCH = 25;
const WINDOW = 4;
const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-faults-"));
const children = new Set<ChildProcess>();
let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
  pool.on("error", () => undefined); // connections are cut on purpose
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await pool?.end();
  await postgres?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

/** The same faults every run: a small linear congruential generator. */
function chance(seed: number): (share: number) => boolean {
  let state = seed;
  return (share) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31 < share;
  };
}

async function lossyBroker(drops: () => boolean) {
  const broker = await Aedes.createBroker();
  let dropped = 0;
  broker.authorizePublish = (_, packet, done) => {
    if (packet.topic.endsWith("/batch") && drops()) {
      dropped++;
      packet.topic = "dropped"; // acknowledged, and gone
    }
    done(null);
  };
  const server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    await new Promise<void>((resolve) => broker.close(resolve));
    server.close();
  };
  return { port, stop, dropped: () => dropped };
}

function startWorker(mqttPort: number): ChildProcess {
  const child = spawn(process.execPath, [WORKER], {
    env: {
      ...process.env,
      DATABASE_URL: postgres.url,
      MQTT_URL: `mqtt://127.0.0.1:${mqttPort}`,
      SALLYPORT_STATE: stateFolder,
      SALLYPORT_LISTEN_PORT: "0",
      SALLYPORT_BIND: "127.0.0.1",
    },
    stdio: "ignore",
  });
  children.add(child);
  return child;
}

/** Nobody gets in for a while, and whoever was in is thrown out, in the middle of whatever it did. */
async function databaseAway(ms: number): Promise<void> {
  const admin = new URL(postgres.url);
  const name = admin.pathname.slice(1);
  admin.pathname = "/template1";
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name]);
  await delay(ms);
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
  await client.end();
}

test("workers killed, the database away and messages dropped after their acknowledgement lose and double nothing", async () => {
  const keys = await ensureKeys(stateFolder);
  const { publicKey } = readSigner(readFileSync(keys.console));
  const group = randomUUID();
  await pool.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [group, "faults"]);
  const machines = Array.from({ length: 3 }, () => new Machine());
  for (const machine of machines) {
    await enrolled(pool, machine, group);
    machine.open();
    while (machine.records.length < RECORDS) machine.say({ text: `line ${machine.records.length}` });
  }
  const drops = chance(7);
  const broker = await lossyBroker(() => drops(0.1));
  const workers = [startWorker(broker.port), startWorker(broker.port)];
  const agent = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4 });
  const stands = new Map(machines.map((machine) => [machine.id as string, 0]));
  const epochs = new Set<number>();
  agent.on("message", (_, bytes) => {
    const receipt = openReceipt(verify, publicKey, bytes.toString());
    if (!receipt.ok) throw new Error(receipt.error);
    expect(["new", "duplicate", "ahead", "stand"]).toContain(receipt.value.answer);
    epochs.add(receipt.value.epoch);
    stands.set(receipt.value.workstation, receipt.value.size);
  });
  await agent.subscribeAsync(
    machines.map(({ id }) => topic(id, "receipt")),
    { qos: 1 },
  );

  let killed = 0;
  let away = 0;
  const total = () => [...stands.values()].reduce((sum, size) => sum + size, 0);
  const whole = RECORDS * machines.length;
  for (const end = Date.now() + 180_000; total() < whole && Date.now() < end; ) {
    for (const machine of machines) {
      const from = stands.get(machine.id)!;
      for (let at = from; at < Math.min(RECORDS, from + WINDOW * BATCH); at += BATCH)
        await agent.publishAsync(
          topic(machine.id, "batch"),
          Buffer.from(machine.batch(at, Math.min(RECORDS, at + BATCH))),
          {
            qos: 1,
          },
        );
    }
    await delay(100); // an agent's pace of sending again
    if (total() > (whole * (killed + 1)) / 5 && killed < 4) {
      workers[killed % 2]!.kill("SIGKILL");
      workers[killed % 2] = startWorker(broker.port);
      killed++;
    }
    if (total() > (whole * (2 * away + 1)) / 6 && away < 2) {
      away++;
      await databaseAway(1_500);
    }
  }
  for (const machine of machines) {
    expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
    const { rows } = await pool.query<{ size: string }>("SELECT size FROM trail WHERE id = $1", [machine.trail]);
    expect(Number(rows[0]!.size)).toBe(RECORDS);
    expect(await leavesRoot(pool, machine.trail)).toBe(machine.rootOf(RECORDS));
  }
  expect({ killed, away, epochs: [...epochs] }).toEqual({ killed: 4, away: 2, epochs: [0] });
  expect(broker.dropped()).toBeGreaterThan(10);
  const { rows } = await pool.query("SELECT count(*)::int AS n FROM quarantine");
  expect(rows[0].n).toBe(0);
  await agent.endAsync(true);
  for (const worker of workers) worker.kill("SIGKILL");
  await broker.stop();
}, 240_000);
