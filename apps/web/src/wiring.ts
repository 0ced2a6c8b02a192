/** The next process's only wiring: everything with a connection or a key is made here, once, and handed on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { type Seal, sealWith } from "./destination/seal.ts";
import { type Env, readEnv } from "./env.ts";
import { Slots } from "./export/slots.ts";
import type { RecordConsole } from "./person/act.ts";
import { makeAuth } from "./person/auth.ts";
import { PrismaClient } from "./prisma/generated/client.ts";
import { Heard } from "./record/heard.ts";
import { type ConsoleKey, readConsoleKey } from "./trail/key.ts";
import { consoleRecorder } from "./trail/recorder.ts";

/** Two next processes and two workers fit into Postgres' default of 100 with room to spare. */
const CONNECTIONS_MAX = 12;
/** Each asks the database as fast as its client reads. */
const EXPORTS_MAX = 4;
/** Each takes a processor for as long as it runs, and pages want some of it. */
const REPLAYS_MAX = 2;
/** Each holds a connection for seconds where much matches, and the lists beside them want the rest. */
const COUNTS_MAX = 4;
/** Rule sets are in memory while they are checked. */
const UPLOADS_MAX = 2;
/** Whoever waits longer for a connection is told so. */
const CONNECT_MS_MAX = 10_000;
/** A search that would take longer is told to be narrower. */
export const STATEMENT_MS_MAX = 15_000;

export type Wiring = {
  env: Env;
  pool: pg.Pool;
  prisma: PrismaClient;
  auth: ReturnType<typeof makeAuth>;
  consoleKey: ConsoleKey;
  recordConsole: RecordConsole;
  seal: Seal;
  heard: Heard;
  exportSlots: Slots;
  replaySlots: Slots;
  countSlots: Slots;
  artifactSlots: Slots;
};

function make(): Wiring {
  const env = readEnv(process.env);
  const keys = join(env.SALLYPORT_STATE, "keys");
  const pool = new pg.Pool({
    connectionString: env.DATABASE_URL,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
    application_name: "sallyport console",
  });
  pool.on("error", (error) => console.error(JSON.stringify({ event: "postgres.idle-lost", reason: error.message })));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const consoleKey = readConsoleKey(join(keys, "console.key"));
  const recordConsole = consoleRecorder(consoleKey);
  const secret = readFileSync(join(keys, "session.secret"), "utf8").trim();
  const auth = makeAuth({ pool, secret, url: env.SALLYPORT_URL, recordConsole });
  const heard = new Heard(
    pool,
    () => new pg.Client({ connectionString: env.DATABASE_URL, keepAlive: true, application_name: "sallyport console" }),
  );
  return {
    env,
    pool,
    prisma,
    auth,
    consoleKey,
    recordConsole,
    seal: sealWith(secret),
    heard,
    exportSlots: new Slots(EXPORTS_MAX),
    replaySlots: new Slots(REPLAYS_MAX),
    countSlots: new Slots(COUNTS_MAX),
    artifactSlots: new Slots(UPLOADS_MAX),
  };
}

/** Next bundles each route apart; one process still has one wiring. */
const holder = globalThis as typeof globalThis & { sallyport?: Wiring };

export function wiring(): Wiring {
  holder.sallyport ??= make();
  return holder.sallyport;
}
