/** The whole product on one machine: Postgres, broker, console, worker and one agent, in order and back. */
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import pg from "pg";
import { makeSetupCode } from "../../../apps/web/src/person/setup.ts";
import { raiseEpoch } from "../../../apps/web/src/trail/restored.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { ensureBuilt, nextProgram, ROOT } from "./build.ts";
import { type Exposure, exposure } from "./exposure.ts";
import { ensureFirstGroup } from "./group.ts";
import { ensureKeys, type KeyFiles } from "./keys.ts";
import { type Agent, startAgent } from "./local-agent.ts";
import { Parts } from "./parts.ts";
import { askedPort, choosePort, PORTS, type PortName, type Ports, readLastPorts } from "./ports.ts";
import { startPostgres } from "./postgres.ts";
import { keepRenewed } from "./renew.ts";
import { RunFile } from "./run.ts";
import { readSigner } from "./signer.ts";
import { replaceFile } from "./state-file.ts";
import type { Child } from "./supervise.ts";

/** What is absent is as `npm run up` has it. A port of 0 takes any free one. `databaseUrl` and `mqttUrl` name outside
 *  servers, which are then not started here. `host` is the name by which other machines reach this one: without it
 *  everything listens on this machine alone. */
export type StackOptions = {
  stateFolder: string;
  ports?: Partial<Ports>;
  databaseUrl?: string;
  mqttUrl?: string;
  host?: string;
  workers?: number;
  console?: boolean;
  agent?: boolean;
  env?: NodeJS.ProcessEnv;
  say?: (line: string) => void;
  /** Ends the start wherever it is; what runs by then is stopped, and the next start goes on from there. */
  signal?: AbortSignal | undefined;
};

export type Stack = {
  stateFolder: string;
  ports: Ports;
  consoleUrl: string;
  /** While there is no owner. */
  setupUrl?: string;
  databaseUrl: string;
  mqttUrl: string;
  keys: KeyFiles;
  /** By name: postgres, broker, worker, worker-2 …, console, agent. */
  children: Map<string, Child>;
  agent?: Agent;
  stop: () => Promise<void>;
};

const READY_MS_MAX = 120_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const stateFolder = resolve(options.stateFolder);
  const say = options.say ?? (() => undefined);
  const exposed = exposure(options.host, { ...process.env, ...options.env });
  openFolder(stateFolder);
  const run = new RunFile(stateFolder);
  await run.claim(say);
  const parts = new Parts(stateFolder, run, say, options.signal);
  try {
    return await startParts({ ...options, stateFolder, say, exposed }, parts);
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

type Starting = StackOptions & { say: (line: string) => void; exposed: Exposure };

async function startParts(options: Starting, parts: Parts): Promise<Stack> {
  const { stateFolder, say, exposed, host = "localhost", workers = 1, signal } = options;
  const ports = await choosePorts(options);
  const keys = await ensureKeys(stateFolder, options.host ? [options.host] : []);
  const env = { ...process.env, ...options.env };

  let databaseUrl = options.databaseUrl;
  if (!databaseUrl) {
    say("Starting Postgres …");
    const postgres = await startPostgres({ stateFolder, port: ports.postgres, ...parts.hooks("postgres") });
    parts.add(postgres.child);
    databaseUrl = postgres.url;
  }
  signal?.throwIfAborted();
  const applied = await migrate(databaseUrl); // each in a transaction, and short: this one is waited for
  if (applied.length > 0) say(`The database is set up (${applied.length} migrations).`);
  await raiseIfRestored(databaseUrl, stateFolder, say);
  const group = await ensureFirstGroup(databaseUrl, readSigner(keys.console));

  const mqttUrl = options.mqttUrl ?? `mqtts://localhost:${ports.mqtt}`;
  const consoleUrl = exposed.publicUrl ?? `http://${host}:${ports.web}`;
  const listenUrl = `https://${host}:${ports.listen}`;
  const shared = {
    ...env,
    NODE_ENV: "production",
    DATABASE_URL: databaseUrl,
    MQTT_URL: mqttUrl,
    SALLYPORT_MQTT_URL: options.mqttUrl ?? `mqtts://${host}:${ports.mqtt}`,
    SALLYPORT_STATE: stateFolder,
    SALLYPORT_BIND: exposed.bind,
    SALLYPORT_MQTT_PORT: String(ports.mqtt),
    SALLYPORT_LISTEN_PORT: String(ports.listen),
    SALLYPORT_LISTEN_URL: listenUrl,
    ...(options.host ? { SALLYPORT_URL: consoleUrl } : {}),
  };
  const node = (script: string, ...args: string[]) => [
    "--disable-warning=ExperimentalWarning",
    join(ROOT, script),
    ...args,
  ];
  if (!options.mqttUrl) {
    say("Starting the broker …");
    const broker = parts.start("broker", { args: node("packages/up/src/broker.ts"), env: shared });
    await broker.until(async () => broker.tail.includes("broker.listening"), READY_MS_MAX);
  }
  for (let at = 1; at <= workers; at++) {
    say(at === 1 ? "Starting the worker …" : `Starting worker ${at} …`);
    // one listener a machine: a second worker takes the next port
    const port = at === 1 ? ports.listen : 0;
    const worker = parts.start(at === 1 ? "worker" : `worker-${at}`, {
      args: node("apps/web/src/worker.ts"),
      env: { ...shared, SALLYPORT_LISTEN_PORT: String(port), SALLYPORT_URL: consoleUrl },
    });
    await worker.until(async () => worker.tail.includes("worker.ready"), READY_MS_MAX);
  }
  if (options.console !== false) {
    await ensureBuilt(say, signal);
    say("Starting the console …");
    if (exposed.warning) say(exposed.warning);
    const args = [nextProgram(), "start", "-H", exposed.consoleBind, "-p", String(ports.web)];
    const console = parts.start("console", { args, env: shared, cwd: join(ROOT, "apps/web") });
    await console.until(() => answersHttp(`http://127.0.0.1:${ports.web}/`), READY_MS_MAX);
  }
  const stack: Stack = {
    ...{ stateFolder, ports, consoleUrl, databaseUrl, mqttUrl, keys, children: parts.children },
    stop: () => parts.stop(),
  };
  if (options.agent !== false) {
    say("Starting this machine's agent …");
    stack.agent = await startAgent({
      stateFolder,
      databaseUrl,
      group,
      ca: keys.ca,
      listenUrl,
      mqttUrl,
      syslogPort: ports.syslog,
      parts,
      env: shared,
      signal,
    });
  }
  const setupUrl = await firstOwnerUrl(databaseUrl, consoleUrl);
  if (setupUrl) stack.setupUrl = setupUrl;
  writeUp(stack);
  stack.stop = renewing(parts, { stateFolder, names: options.host ? [options.host] : [], say });
  return stack;
}

/** Certificates are kept fresh until what it answers is called. */
function renewing(parts: Parts, options: { stateFolder: string; names: string[]; say: (line: string) => void }) {
  const ending = new AbortController();
  const readers = (name: string) =>
    [...parts.children.values()].filter((child) =>
      name === "broker" ? child.name === "broker" : child.name.startsWith("worker"),
    );
  const renewed = keepRenewed({ ...options, readers }, ending.signal);
  return async (): Promise<void> => {
    ending.abort();
    await renewed;
    await parts.stop();
  };
}

/** A folder that came from `sallyport backup`, or that `sallyport restored` marked, holds a file of that name. */
async function raiseIfRestored(databaseUrl: string, stateFolder: string, say: (line: string) => void): Promise<void> {
  const mark = join(stateFolder, "restored");
  if (!existsSync(mark)) return;
  const epoch = await raiseEpoch(databaseUrl, stateFolder);
  rmSync(mark);
  say(
    `This console was restored from a backup: its epoch is now ${epoch}, and workstations send again what they hold.`,
  );
}

/** `ports.json` holds what was taken last: workstations enrolled then come back to the same ones. */
async function choosePorts({ stateFolder, ports = {}, env, say = () => undefined }: StackOptions): Promise<Ports> {
  const file = join(stateFolder, "ports.json");
  const last = readLastPorts(file, say);
  const taken = new Set<number>();
  const chosen = {} as Ports;
  for (const name of Object.keys(PORTS) as PortName[]) {
    const asked =
      ports[name] === 0 && last[name] ? undefined : (ports[name] ?? askedPort(name, { ...process.env, ...env }));
    chosen[name] = await choosePort(name, { asked, last: last[name], taken, say });
  }
  replaceFile(file, JSON.stringify(chosen));
  return chosen;
}

function openFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    mkdirSync(join(folder, "sticks"), { recursive: true });
    statSync(join(folder, "sticks"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOSPC"
        ? "its disk is full"
        : code === "EACCES" || code === "EPERM"
          ? "it belongs to another user"
          : (error as Error).message;
    throw new Error(`The state folder ${folder} cannot be written: ${why}. Set SALLYPORT_STATE to another folder.`, {
      cause: error,
    });
  }
}

async function answersHttp(url: string): Promise<boolean> {
  const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10_000) });
  await response.body?.cancel();
  return response.status < 500;
}

async function firstOwnerUrl(databaseUrl: string, consoleUrl: string): Promise<string | undefined> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const code = await makeSetupCode(pool);
    return code === undefined ? undefined : `${consoleUrl}/setup?code=${code}`;
  } finally {
    await pool.end();
  }
}

function writeUp({ stateFolder, consoleUrl, setupUrl, databaseUrl, mqttUrl, ports }: Stack): void {
  const up = {
    console: consoleUrl,
    ...(setupUrl ? { firstOwner: setupUrl } : {}),
    ports,
    databaseUrl,
    mqttUrl,
    pid: process.pid,
  };
  replaceFile(join(stateFolder, "up.json"), `${JSON.stringify(up, null, 2)}\n`);
}
