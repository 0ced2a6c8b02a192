/** Records a second from batch to committed and receipted, through a real broker and the worker's own process, beside a
 *  plain COPY of the same rows into the same table over one connection, in the same run on the same machine.
 *  `node apps/web/bench/ingest.ts [records]` prints one table; the last line is JSON for docs. */
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { openReceipt } from "@sallyport/shared/trail/receipt.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import mqtt from "mqtt";
import pg from "pg";
import { ensureFirstGroup } from "../../../packages/up/src/group.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { COPY_RECORDS, copy } from "../src/ingest/copy.ts";
import { openPartitions } from "../src/ingest/partitions.ts";
import { readSigner, verify } from "../src/trail/crypto.ts";
import { enrolled, Machine } from "../test/machine.ts";
import { startPostgres } from "../test/postgres.ts";
import { ensureKeys } from "../test/up.ts";

const RECORDS = Number(process.argv[2] ?? 100_000);
const MACHINES = 20;
const BATCH = 500;
/** As the policy's default for agents. */
const WINDOW = 8;
const REPEATS = 3;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

type Figure = { what: string; perSecond: number };

async function main(): Promise<void> {
  const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const postgres = await startPostgres();
  await migrate(postgres.url);
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  await openPartitions(pool);
  const keys = await ensureKeys(stateFolder);
  const signer = readSigner(readFileSync(keys.console));
  const group = await ensureFirstGroup(postgres.url, signer);
  const environment = {
    ...process.env,
    DATABASE_URL: postgres.url,
    SALLYPORT_STATE: stateFolder,
    SALLYPORT_LOG_LEVEL: "warn",
  };
  const broker = await start(
    here("../../../packages/up/src/broker.ts"),
    { ...environment, SALLYPORT_MQTT_PORT: "0", SALLYPORT_LOG_LEVEL: "info" },
    /"port":(\d+)/,
  );
  const mqttUrl = `mqtts://localhost:${broker.port}`;
  const worker = await start(
    here("../src/worker.ts"),
    { ...environment, MQTT_URL: mqttUrl, SALLYPORT_LISTEN_PORT: "0", SALLYPORT_LOG_LEVEL: "info" },
    /"listenPort":(\d+)/,
  );
  const link = await mqtt.connectAsync(mqttUrl, {
    protocolVersion: 4,
    ca: readFileSync(keys.ca),
    cert: readFileSync(keys.worker.cert), // stands for all machines: it may write on every topic
    key: readFileSync(keys.worker.key),
  });
  const figures: Figure[] = [];
  try {
    for (let round = 0; round < REPEATS; round++) {
      const machines = await makeMachines(pool, group);
      figures.push({
        what: "sallyport: batch → committed and receipted",
        perSecond: await ingestAll(link, signer.publicKey, machines),
      });
      figures.push({ what: "plain COPY, one connection, same rows", perSecond: await copyAgain(pool, machines) });
    }
    print(figures, processorMicros(worker.child.pid!) / (RECORDS * REPEATS));
  } finally {
    await link.endAsync(true);
    if (process.env.SALLYPORT_PROFILE) await ended(worker.child); // a profile is written at the end
    for (const { child } of [worker, broker]) child.kill("SIGKILL");
    await pool.end();
    await postgres.stop();
    rmSync(stateFolder, { recursive: true, force: true });
  }
}

type Child = { child: ReturnType<typeof spawn>; port: number };
function start(script: string, env: NodeJS.ProcessEnv, ready: RegExp): Promise<Child> {
  const profile =
    process.env.SALLYPORT_PROFILE && script.endsWith("worker.ts")
      ? ["--cpu-prof", "--cpu-prof-dir", process.env.SALLYPORT_PROFILE]
      : [];
  const child = spawn(process.execPath, [...profile, script], { env, stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}: ${text}`)));
    child.stdout?.on("data", (bytes) => {
      text = (text + bytes).slice(-65_536);
      const found = ready.exec(text);
      if (found) resolve({ child, port: Number(found[1]) });
    });
  });
}

function ended(child: Child["child"]): Promise<unknown> {
  child.kill("SIGTERM");
  return new Promise((resolve) => child.once("exit", resolve));
}

type Loaded = { machine: Machine; batches: Uint8Array[] };

async function makeMachines(pool: pg.Pool, group: string): Promise<Loaded[]> {
  const each = Math.ceil(RECORDS / MACHINES / BATCH) * BATCH;
  const loaded: Loaded[] = [];
  for (let at = 0; at < MACHINES; at++) {
    const machine = new Machine(randomUUID() as string as WorkstationId);
    await enrolled(pool, machine, group);
    machine.open();
    while (machine.records.length < each) machine.say(line(machine.records.length));
    const batches = [];
    for (let from = 0; from < each; from += BATCH) batches.push(machine.batch(from, from + BATCH));
    loaded.push({ machine, batches });
  }
  return loaded;
}

function line(at: number) {
  const message = `session ${at} opened for user u${at % 97} by (uid=0) from 10.0.${at % 256}.${(at * 7) % 256} port ${20_000 + (at % 40_000)}`;
  const raw = `<86>1 2026-11-24T09:00:00.000Z guest sshd ${at} - - ${message}`;
  const body = {
    via: "udp",
    from: "vif1.0",
    format: "rfc5424",
    facility: 10,
    level: 6,
    app: "sshd",
    process: `${at}`,
    message,
    raw,
  };
  return { guest: "work", text: `sshd: ${message}`, body };
}

/** Go-back-N with the agent's window for every machine at once. */
async function ingestAll(link: mqtt.MqttClient, consoleKey: Uint8Array, loaded: Loaded[]): Promise<number> {
  const bySize = new Map(loaded.map((each) => [each.machine.id as string, { ...each, sent: 0, done: 0, again: -1 }]));
  const total = loaded.reduce((sum, { batches }) => sum + batches.length, 0) * BATCH;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const pump = (id: string) => {
    const state = bySize.get(id)!;
    for (; state.sent < state.batches.length && state.sent * BATCH < state.done + WINDOW * BATCH; state.sent++)
      link.publish(topic(state.machine.id, "batch"), Buffer.from(state.batches[state.sent]!), { qos: 1 });
  };
  const onMessage = (_: string, bytes: Buffer) => {
    const receipt = openReceipt(verify, consoleKey, bytes.toString());
    const state = receipt.ok && bySize.get(receipt.value.workstation);
    if (!receipt.ok || !state) return;
    const { answer, size, reason } = receipt.value;
    if (answer !== "new" && answer !== "duplicate" && answer !== "ahead")
      throw new Error(`a receipt says ${answer}: ${reason}`);
    state.done = size;
    // something before it was missing (the worker had not subscribed to this shard yet): once back to there, as agents do
    if (answer === "ahead" && state.again !== size) {
      state.again = size;
      state.sent = Math.floor(size / BATCH);
    }
    pump(receipt.value.workstation);
    if ([...bySize.values()].every(({ done, batches }) => done === batches.length * BATCH)) finish();
  };
  await link.subscribeAsync(
    loaded.map(({ machine }) => topic(machine.id, "receipt")),
    { qos: 1 },
  );
  link.on("message", onMessage);
  const started = performance.now();
  for (const id of bySize.keys()) pump(id);
  await finished;
  const seconds = (performance.now() - started) / 1000;
  link.off("message", onMessage);
  return total / seconds;
}

/** The very rows that are stored, in COPY's text format as psql's \copy sends it, into the same table under other
 *  trails' numbers, in one transaction. */
async function copyAgain(pool: pg.Pool, loaded: Loaded[]): Promise<number> {
  const { rows } = await pool.query<{ num: number }>("SELECT num FROM trail WHERE id = ANY($1::uuid[])", [
    loaded.map(({ machine }) => machine.trail),
  ]);
  const tx = await pool.connect();
  const chunks: Buffer[] = [];
  const { to } = await import("pg-copy-streams");
  const out = tx.query(
    to(`COPY (SELECT -trail, index, received, time, kind, severity, guest, text, content_hash, salt, content, marked
          FROM record WHERE trail = ANY('{${rows.map(({ num }) => num).join(",")}}')) TO STDOUT`),
  );
  for await (const chunk of out) chunks.push(chunk as Buffer);
  const total = loaded.reduce((sum, { batches }) => sum + batches.length, 0) * BATCH;
  const started = performance.now();
  await tx.query("BEGIN");
  await copy(tx, COPY_RECORDS.replace(" (FORMAT binary)", ""), chunks);
  await tx.query("COMMIT");
  const seconds = (performance.now() - started) / 1000;
  tx.release();
  return total / seconds;
}

/** Processor time of a process so far: the figure that stands when the machine is busy with other things. Fields 14 and
 *  15 of /proc/PID/stat, in hundredths of a second. */
function processorMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function print(figures: Figure[], workerMicros: number): void {
  const median = (what: string) => {
    const sorted = figures.filter((each) => each.what === what).map(({ perSecond }) => perSecond);
    return sorted.sort((a, b) => a - b)[Math.floor(sorted.length / 2)]!;
  };
  const whats = [...new Set(figures.map(({ what }) => what))];
  const plain = median(whats[1]!);
  const commit = spawnSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).stdout.trim();
  process.stdout.write(
    `Ingest, ${RECORDS} records of ${MACHINES} workstations, median of ${REPEATS}; ${cpus().length} × ${cpus()[0]?.model}\n`,
  );
  for (const what of whats)
    process.stdout.write(
      `${what.padEnd(48)} ${Math.round(median(what)).toString().padStart(8)} records/s  ${(median(what) / plain).toFixed(2)}\n`,
    );
  process.stdout.write(
    `the worker's processor time, its start included       ${workerMicros.toFixed(1).padStart(8)} µs a record\n`,
  );
  const result = Object.fromEntries(whats.map((what) => [what, Math.round(median(what))]));
  process.stdout.write(
    `${JSON.stringify({ bench: "ingest", commit, records: RECORDS, ...result, workerMicrosPerRecord: Math.round(workerMicros), ratio: Number((median(whats[0]!) / plain).toFixed(2)) })}\n`,
  );
}

await main();
