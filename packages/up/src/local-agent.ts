/** This machine's own agent: a token made in the database, enrolment through the listener as anywhere, then its run. */
import { execFile } from "node:child_process";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import pg from "pg";
import { z } from "zod";
import { LEAN, LEAN_ENV } from "../../../apps/agent/bin/lean.mjs";
import { makeAgentProgram } from "./agent-program.ts";
import { ROOT } from "./build.ts";
import type { Parts } from "./parts.ts";
import { readStateFile, replaceFile } from "./state-file.ts";

export type Agent = { workstation: WorkstationId; state: string; eveFile: string };
export type AgentOptions = {
  stateFolder: string;
  databaseUrl: string;
  group: GroupId;
  ca: string;
  listenUrl: string;
  mqttUrl: string;
  syslogPort: number;
  parts: Parts;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
};

const TOKEN_MINUTES = 15;
const ENROL_MS_MAX = 60_000;
const RECEIPT_MS_MAX = 90_000;
const CLI = join(ROOT, "apps/agent/bin/sallyport-agent.mjs");
const QUIET = "--disable-warning=ExperimentalWarning";

/** What of enrolment.json this file needs; the rest is kept as it is. */
const Facts = z.looseObject({ workstation: z.string(), listener: z.string(), mqtt: z.string() });
/** What of a configuration this file changes. */
const Listening = z.looseObject({ host: z.string(), port: z.int() });
const Config = z.looseObject({ udp: z.array(Listening).optional(), tcp: z.array(Listening).optional() });
type Config = z.infer<typeof Config>;

/** Enrols once, runs from then on; ready when the console has a new record of it. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const state = join(options.stateFolder, "agent");
  const eveFile = join(options.stateFolder, "eve.json");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  writeConfig(join(state, "config.json"), options, eveFile);
  const facts = join(state, "enrolment", "enrolment.json");
  if (!existsSync(facts)) await enrol(state, options);
  options.signal?.throwIfAborted();
  const { workstation } = followPorts(facts, state, options);
  const args = [...LEAN, QUIET, await makeAgentProgram(options.stateFolder), "run", "--state", state];
  const startedAt = new Date();
  const child = options.parts.start("agent", {
    args,
    env: { ...options.env, ...LEAN_ENV, DATABASE_URL: undefined, MQTT_URL: undefined },
  });
  await child.until(() => hasReceipt(options.databaseUrl, workstation, startedAt), RECEIPT_MS_MAX);
  return { workstation: workstation as WorkstationId, state, eveFile };
}

/** A configuration that a person wrote is kept, but for the ports of this machine's syslog. */
function writeConfig(file: string, { stateFolder, syslogPort }: AgentOptions, eveFile: string): void {
  const here = { host: "127.0.0.1", port: syslogPort };
  const fresh = {
    guests: [{ id: "this-machine", addresses: ["127.0.0.1"] }],
    guestNames: { "this-machine": "this machine" },
    udp: [here],
    tcp: [here],
    eve: [eveFile],
    sticks: join(stateFolder, "sticks"),
  };
  const config: Config = existsSync(file)
    ? readOr(Config, file, "Mend it, or delete it: the next start writes a fresh one.")
    : fresh;
  const moved = (all: Config["udp"] = []) => all.map((at) => (at.host === here.host ? here : at));
  replace(file, { ...config, udp: moved(config.udp), tcp: moved(config.tcp) });
}

async function enrol(state: string, { databaseUrl, group, ca, listenUrl, env, signal }: AgentOptions): Promise<void> {
  const secret = randomBytes(32).toString("base64url");
  const fingerprint = createHash("sha256")
    .update(new X509Certificate(readFileSync(ca)).raw)
    .digest("hex") as Sha256;
  await withDatabase(databaseUrl, (client) =>
    client.query(
      `INSERT INTO enrol_token (hash, group_id, labels, note, expires, created_by)
       VALUES ($1, $2, '{}', 'this machine', now() + make_interval(mins => $3::int), 'npm run up')`,
      [createHash("sha256").update(secret).digest(), group, TOKEN_MINUTES],
    ),
  );
  const token = printToken({ url: listenUrl, ca: fingerprint, secret });
  await new Promise<void>((resolve, reject) => {
    const args = [QUIET, CLI, "enrol", "-", "--state", state];
    const child = execFile(process.execPath, args, { env, timeout: ENROL_MS_MAX, signal }, (error, _out, told) => {
      if (!error) return resolve();
      if (signal?.aborted) return reject(signal.reason);
      reject(
        new Error(`This machine's agent could not be enrolled: ${told.trim() || error.message}`, { cause: error }),
      );
    });
    child.stdin?.end(token);
  });
}

/** The embedded broker or listener may have moved to another port since; this agent is told, others cannot be. */
function followPorts(file: string, state: string, { mqttUrl, listenUrl }: AgentOptions): z.infer<typeof Facts> {
  const facts = readOr(
    Facts,
    file,
    `Put it back from a backup, or move ${state} away: the next start enrols this machine anew, and what was not sent yet stays there.`,
  );
  if (facts.mqtt !== mqttUrl || facts.listener !== listenUrl)
    replace(file, { ...facts, mqtt: mqttUrl, listener: listenUrl });
  return facts;
}

async function hasReceipt(databaseUrl: string, workstation: string, since: Date): Promise<boolean> {
  const { rows } = await withDatabase(databaseUrl, (client) =>
    client.query("SELECT 1 FROM workstation WHERE id = $1 AND last_receipt_at >= $2", [workstation, since]),
  );
  return rows.length > 0;
}

async function withDatabase<T>(databaseUrl: string, act: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}

const replace = (file: string, value: object): void => replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);

/** @throws Error that names the file and says what a person can do */
function readOr<S extends z.ZodType>(schema: S, file: string, advice: string): z.infer<S> {
  try {
    return readStateFile(schema, file);
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as Error).message}). ${advice}`, { cause: error });
  }
}
