/** Records a second from batch to committed and receipted, through a real broker and the worker's own process, beside a
 *  plain COPY of the same rows into the same table over one connection, and rsyslog into a table of the same server, in
 *  turn in the same run on the same machine. Every commit is synced.
 *  `node apps/web/bench/ingest.ts [records]` prints one table; the last line is JSON for docs. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import pg from "pg";
import { ensureFirstGroup } from "../../../packages/up/src/group.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { COPY_RECORDS, copy } from "../src/ingest/copy.ts";
import { openPartitions } from "../src/ingest/partitions.ts";
import { readSigner } from "../src/trail/crypto.ts";
import { startPostgres } from "../test/postgres.ts";
import { ensureKeys } from "../test/up.ts";
import { ingestAll, type Loaded, line, MACHINES, makeMachines } from "./machines.ts";
import { parentOf, processorMicros, serverMicros } from "./processor.ts";
import { missing, throughRsyslog } from "./rsyslog.ts";

const RECORDS = Number(process.argv[2] ?? 100_000);
/** It is so much slower that fewer say the same. */
const RSYSLOG_RECORDS = Math.min(RECORDS, 40_000);
const REPEATS = 3;
const OURS = "sallyport: batch → committed and receipted";
const COPY = "plain COPY, one connection, same rows";
const RSYSLOG = ["rsyslog → ompgsql, one worker", "rsyslog → ompgsql, two workers"];
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Processor time a record in microseconds: of the process that does the work (worker, rsyslog), of the broker, of this
 *  process (which stands for the workstations, and is COPY's client), and of the database. */
const PROCESSES = ["own", "broker", "here", "database"] as const;
type Figure = Record<(typeof PROCESSES)[number], number> & { what: string; perSecond: number };
type Sample = Record<(typeof PROCESSES)[number], number> & { at: number };
/** Calls `ready` where what is measured begins. */
type Act = (ready: () => void) => Promise<{ perSecond: number; micros: number } | undefined>;

async function main(): Promise<void> {
  const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const postgres = await startPostgres({ synced: true });
  await migrate(postgres.url);
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  pool.on("error", () => undefined); // the server stops at the end while a connection rests
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
    const absent = missing();
    if (absent) process.stdout.write(`Without rsyslog beside it: it is not here. ${absent}\n`);
    const database = parentOf((await pool.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]!.pid);
    const sample = (own: number | undefined): Sample => ({
      at: performance.now(),
      own: own === undefined ? 0 : processorMicros(own),
      broker: processorMicros(broker.child.pid!),
      here: processorMicros(process.pid),
      database: serverMicros(database),
    });
    const measure = async (what: string, own: number | undefined, act: Act, records = RECORDS) => {
      let from = sample(own);
      const ready = () => {
        from = sample(own);
      };
      const told = await act(ready);
      const to = sample(own);
      const micros = (of: "own" | "broker" | "here" | "database") => (to[of] - from[of]) / records;
      const perSecond = told?.perSecond ?? (records / (to.at - from.at)) * 1000;
      process.stderr.write(`  ${what}: ${Math.round(perSecond)} records/s\n`);
      return {
        what,
        perSecond,
        own: told?.micros ?? micros("own"),
        broker: micros("broker"),
        here: micros("here"),
        database: micros("database"),
      };
    };
    for (let round = 0; round <= REPEATS; round++) {
      const machines = await makeMachines(pool, group, RECORDS);
      const one = [
        await measure(OURS, worker.child.pid, (ready) => ingestAll(link, signer.publicKey, machines, ready)),
        await measure(COPY, undefined, (ready) => copyAgain(pool, machines, ready)),
      ];
      if (round === 0) continue; // a worker, a broker and a database run for months: none of them is measured cold
      figures.push(...one);
      const lines = Array.from({ length: RSYSLOG_RECORDS }, (_, at) => line(at).body.raw);
      for (const [at, what] of absent ? [] : RSYSLOG.entries()) {
        const through = () => throughRsyslog(pool, postgres.url, lines, at + 1);
        figures.push(await measure(what, undefined, through, RSYSLOG_RECORDS));
      }
    }
    print(figures);
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

/** The very rows that are stored, in COPY's text format as psql's \copy sends it, into the same table under other
 *  trails' numbers, in one transaction. */
async function copyAgain(pool: pg.Pool, loaded: Loaded[], ready: () => void): Promise<undefined> {
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
  ready();
  await tx.query("BEGIN");
  await copy(tx, COPY_RECORDS.replace(" (FORMAT binary)", ""), chunks);
  await tx.query("COMMIT");
  tx.release();
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

function print(figures: Figure[]): void {
  const whats = [...new Set(figures.map(({ what }) => what))];
  const middle = (what: string, of: "perSecond" | (typeof PROCESSES)[number]) =>
    median(figures.filter((each) => each.what === what).map((each) => each[of]));
  const plain = middle(COPY, "perSecond");
  const rows = whats.map((what) => ({
    what,
    perSecond: Math.round(middle(what, "perSecond")),
    ratio: Number((middle(what, "perSecond") / plain).toFixed(2)),
    micros: Object.fromEntries(PROCESSES.map((of) => [of, Number(middle(what, of).toFixed(1))])),
  }));
  process.stdout.write(
    `${RECORDS} records of ${MACHINES} workstations, median of ${REPEATS} after one that warms up; ${cpus().length} × ${cpus()[0]?.model}; load ${loadavg()[0]!.toFixed(1)}\n`,
  );
  process.stdout.write("processor time in µs a record: of worker or rsyslog, broker, clients, database\n");
  const names = ["records/s", " to COPY", "    own", "  broker", " clients", "database"];
  process.stdout.write(`${"".padEnd(46)} ${names.join(" ")}\n`);
  for (const { what, perSecond, micros, ratio } of rows) {
    const columns = PROCESSES.map((of) => micros[of]!.toFixed(1).padStart(9)).join("");
    process.stdout.write(
      `${what.padEnd(46)} ${String(perSecond).padStart(9)} ${ratio.toFixed(2).padStart(8)} ${columns}\n`,
    );
  }
  const result = Object.fromEntries(rows.map(({ what, ...rest }) => [what, rest]));
  process.stdout.write(`${JSON.stringify({ bench: "ingest", records: RECORDS, ...result })}\n`);
}

await main();
