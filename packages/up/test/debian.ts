/** Debian's own PostgreSQL 15 and Mosquitto, started for one test in a folder of their own. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { keyFiles } from "../src/keys.ts";
import { Child } from "../src/supervise.ts";

const run = promisify(execFile);
const BIN = "/usr/lib/postgresql/15/bin";
const DEPLOY = fileURLToPath(new URL("../../../deploy/mosquitto/", import.meta.url));

export const absentPackages = (): string[] =>
  Object.entries({ "postgresql-15": `${BIN}/postgres`, mosquitto: "/usr/sbin/mosquitto" })
    .filter(([, path]) => !existsSync(path))
    .map(([name]) => name);

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

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

/** With the very files that docs/operations.md tells people to copy; only paths and the port are this test's. */
export async function startMosquitto(stateFolder: string, port: number, crl?: string): Promise<Child> {
  const keys = keyFiles(stateFolder);
  const folder = join(stateFolder, "mosquitto");
  mkdirSync(folder, { recursive: true });
  let conf = readFileSync(join(DEPLOY, "sallyport.conf"), "utf8")
    .replace("listener 8883", `listener ${port} 127.0.0.1`)
    .replace("/etc/mosquitto/certs/ca.crt", keys.ca)
    .replace("/etc/mosquitto/certs/broker.crt", keys.broker.cert)
    .replace("/etc/mosquitto/certs/broker.key", keys.broker.key)
    .replace("/etc/mosquitto/sallyport.acl", join(DEPLOY, "sallyport.acl"));
  if (crl === undefined) conf = conf.replace(/^crlfile .*$/m, "");
  else {
    writeFileSync(join(folder, "crl.pem"), crl);
    conf = conf.replace("/etc/mosquitto/certs/crl.pem", join(folder, "crl.pem"));
  }
  if (process.getuid?.() === 0) conf += "\nuser root\n"; // the keys are readable by their owner alone
  const file = join(folder, "mosquitto.conf");
  writeFileSync(file, conf);
  const child = new Child({
    name: "mosquitto",
    command: "/usr/sbin/mosquitto",
    args: ["-c", file],
    logFile: join(folder, "mosquitto.log"),
  });
  child.start();
  await child.until(() => answersTls(port), 20_000);
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
