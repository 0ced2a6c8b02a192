/** Debian's own PostgreSQL 15 and Mosquitto, started for one test in a folder of their own. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "../src/ports.ts";
import { Child } from "../src/supervise.ts";

const run = promisify(execFile);
const BIN = "/usr/lib/postgresql/15/bin";
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export const absentPackages = (): string[] =>
  Object.entries({ "postgresql-15": `${BIN}/postgres`, mosquitto: "/usr/sbin/mosquitto" })
    .filter(([, path]) => !existsSync(path))
    .map(([name]) => name);

export async function startDebianPostgres(folder: string): Promise<{ url: string; child: Child }> {
  const data = join(folder, "postgresql");
  const port = await freePort();
  const prefix = process.getuid?.() === 0 ? ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] : [];
  const initdb = [...prefix, `${BIN}/initdb`, "-D", data, "-U", "sallyport", "-A", "trust", "--locale", "C.UTF-8"];
  await run(initdb[0]!, initdb.slice(1));
  const server = [
    ...prefix,
    `${BIN}/postgres`,
    "-D",
    data,
    "-p",
    String(port),
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "unix_socket_directories=",
  ];
  const logFile = join(folder, "postgresql.log");
  const child = new Child({
    name: "postgresql-15",
    command: server[0]!,
    args: server.slice(1),
    logFile,
    stopSignal: "SIGINT",
  });
  child.start();
  const url = `postgresql://sallyport@127.0.0.1:${port}/postgres`;
  await child.until(async () => {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    await client.end();
    return true;
  }, 60_000);
  return { url, child };
}

/** Where Debian's Mosquitto has /etc/mosquitto, filled by the very commands of docs/operations.md. As root it drops to
 *  Debian's user `mosquitto` before it opens its files, so `etc` must let that user in. */
export async function installMosquitto(stateFolder: string, etc: string, port: number): Promise<void> {
  for (const folder of [etc, join(etc, "conf.d"), join(etc, "certs")]) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  const here = (text: string) => text.replaceAll("/etc/mosquitto", etc).replaceAll("/var/lib/sallyport", stateFolder);
  let commands = here(brokerCommands()).replace(/^ *systemctl .*$/gm, "");
  if (process.getuid?.() !== 0) commands = commands.replaceAll(/ -[og] mosquitto/g, ""); // nothing is dropped then
  await run("sh", ["-ec", commands], { cwd: ROOT });
  const conf = join(etc, "conf.d", "sallyport.conf");
  writeFileSync(conf, here(readFileSync(conf, "utf8")).replace("listener 8883", `listener ${port} 127.0.0.1`));
  // Debian's own first file; its log and its pid are this test's
  const main = readFileSync("/etc/mosquitto/mosquitto.conf", "utf8").replace(/^(?:pid_file|log_dest) .*$/gm, "");
  writeFileSync(join(etc, "mosquitto.conf"), here(main).replaceAll("/var/lib/mosquitto", etc));
}

function brokerCommands(): string {
  const blocks = readFileSync(join(ROOT, "docs/operations.md"), "utf8").split(/^ *```\n/m);
  const found = blocks.filter((text) => text.includes("/etc/mosquitto/conf.d/\n"));
  if (found.length !== 1) throw new Error("docs/operations.md has no single block that installs Mosquitto's files.");
  return found[0]!;
}

export async function startMosquitto(etc: string, logFolder: string, port: number): Promise<Child> {
  const child = new Child({
    name: "mosquitto",
    command: "/usr/sbin/mosquitto",
    args: ["-c", join(etc, "mosquitto.conf")],
    logFile: join(logFolder, "mosquitto.log"),
  });
  child.start();
  await child.until(() => answersTls(port), 60_000);
  return child;
}

/** A server that asks for a certificate answers the first bytes in any case. */
const answersTls = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
