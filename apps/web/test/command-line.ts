/** `sallyport` as a process of its own, against the console's plain routes over a Postgres of their own. */
import "reflect-metadata";
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { openPool, startPostgres } from "./postgres.ts";
import { seedPartition } from "./seed.ts";
import { serve } from "./serve.ts";

const SALLYPORT = join(import.meta.dirname, "../../../packages/cli/bin/sallyport.mjs");
/** Each command is a process of its own, and a machine may be slow. */
export const RUNS_MS_MAX = 900_000;

export type Parts = { pool: pg.Pool; consoleKey: Signer; recordConsole: ReturnType<typeof consoleRecorder> };
export type Ran = { code: number | null; out: string; err: string };
/** What a process is given beside its arguments; without a token it is nobody's. */
export type Given = { token?: string; environment?: Record<string, string | undefined>; folder?: string };
export type CommandLine = Parts & {
  /** A token of this person, who is made with this role where there is none yet. */
  token(person: string, role: string, scopes: Scope[]): Promise<string>;
  run(given: Given, ...args: string[]): Promise<Ran>;
  stop(): Promise<void>;
};

/** Ends with its last word read. */
export function runSallyport({ token, environment, folder }: Given, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [SALLYPORT, ...args], {
    env: { ...process.env, SALLYPORT_TOKEN: token, ...environment },
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...said })));
}

export async function startCommandLine(
  respond: (parts: Parts, request: Request) => Promise<Response>,
): Promise<CommandLine> {
  const postgres = await startPostgres();
  const pool = openPool(postgres.url);
  const stop = () => pool.end().then(postgres.stop);
  try {
    await migrate(postgres.url);
    await seedPartition(pool);
  } catch (error) {
    await stop();
    throw error;
  }
  const consoleKey = newSigner();
  const parts: Parts = { pool, consoleKey, recordConsole: consoleRecorder(consoleKey) };
  const { server, url } = await serve((request) => respond(parts, request));
  return {
    ...parts,
    token: async (person, role, scopes) => {
      await pool.query(
        "INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role) ON CONFLICT DO NOTHING",
        [person, role],
      );
      return (await makeToken(pool, { person, name: "t", scopes, days: 1 })).token;
    },
    run: ({ environment, ...given }, ...args) =>
      runSallyport({ ...given, environment: { SALLYPORT_URL: url, ...environment } }, ...args),
    stop: async () => {
      await new Promise((resolve) => server.close(resolve));
      await stop();
    },
  };
}
