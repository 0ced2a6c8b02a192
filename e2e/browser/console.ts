/** The console alone over a real Postgres, with rows as ingest leaves them: for what needs no agent and no broker. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { makeSetupCode } from "../../apps/web/src/person/setup.ts";
import { type ConsoleKey, readConsoleKey } from "../../apps/web/src/trail/key.ts";
import { openPool, startPostgres } from "../../apps/web/test/postgres.ts";
import { seedPartition } from "../../apps/web/test/seed.ts";
import { ensureBuilt, nextProgram, ROOT } from "../../packages/up/src/build.ts";
import { ensureKeys } from "../../packages/up/src/keys.ts";
import { freePort } from "../../packages/up/src/ports.ts";
import { migrate } from "../../prisma/migrate.ts";

export type Console = {
  url: string;
  setupUrl: string;
  databaseUrl: string;
  pool: pg.Pool;
  consoleKey: ConsoleKey;
  /** What the console seals with. */
  sessionSecret: string;
  stop: () => Promise<void>;
};

const READY_MS_MAX = 120_000;

/** `develop`: from the sources as they are, each page compiled when it is first asked for; for looking, not for tests. */
export async function startConsole({ develop = false } = {}): Promise<Console> {
  if (!develop) await ensureBuilt(() => undefined);
  const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-console-"));
  const postgres = await startPostgres();
  await migrate(postgres.url);
  await ensureKeys(stateFolder);
  const pool = openPool(postgres.url);
  await seedPartition(pool);
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const child = spawn(
    process.execPath,
    [nextProgram(), develop ? "dev" : "start", "-H", "127.0.0.1", "-p", String(port)],
    {
      cwd: join(ROOT, "apps/web"),
      env: {
        ...process.env,
        NODE_ENV: develop ? "development" : "production",
        DATABASE_URL: postgres.url,
        SALLYPORT_STATE: stateFolder,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => lines.push(String(chunk)));
  await untilReady(url, child, lines);
  const code = await makeSetupCode(pool);
  return {
    url,
    databaseUrl: postgres.url,
    pool,
    consoleKey: readConsoleKey(join(stateFolder, "keys", "console.key")),
    sessionSecret: readFileSync(join(stateFolder, "keys", "session.secret"), "utf8").trim(),
    setupUrl: `${url}/setup?code=${code}`,
    stop: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      await pool.end();
      await postgres.stop();
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}

async function untilReady(url: string, child: ChildProcess, lines: string[]): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  while (Date.now() < until && child.exitCode === null) {
    const response = await fetch(`${url}/api/health`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`The console did not get ready: ${lines.join("").slice(-2000)}`);
}
