/** What a site would use instead: rsyslog's own way into Postgres (ompgsql), over TCP on this machine, into a plain table
 *  of the same server. Its queue is memory: nothing of what it acknowledged is safe, which is the faster of its ways. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { freePort } from "../../../packages/up/src/ports.ts";
import { processorMicros } from "./processor.ts";

const RSYSLOGD = "/usr/sbin/rsyslogd";
const OMPGSQL = ["/usr/lib/x86_64-linux-gnu/rsyslog/ompgsql.so", "/usr/lib/aarch64-linux-gnu/rsyslog/ompgsql.so"];
const STARTED_MS_MAX = 30_000;
const LOOK_MS = 20;
const ENDED_MS = 500;

/** What is not installed, in words; nothing where all is there. */
export function missing(): string | undefined {
  const absent = [
    ...(existsSync(RSYSLOGD) ? [] : ["rsyslog"]),
    ...(OMPGSQL.some((path) => existsSync(path)) ? [] : ["rsyslog-pgsql"]),
  ];
  return absent.length === 0 ? undefined : `Install ${absent.join(" and ")} (apt-get install ${absent.join(" ")}).`;
}

/** Records a second from the first byte sent to the last row committed, and the processor time of rsyslog itself. */
export async function throughRsyslog(
  pool: pg.Pool,
  postgresUrl: string,
  lines: readonly string[],
  workers: number,
): Promise<{ perSecond: number; micros: number }> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-rsyslog-"));
  const port = await freePort();
  const table = `rsyslog_${workers}`;
  await pool.query(`DROP TABLE IF EXISTS ${table}`);
  await pool.query(
    `CREATE TABLE ${table} (id bigserial PRIMARY KEY, received timestamptz NOT NULL, time timestamptz NOT NULL,
       facility int NOT NULL, severity int NOT NULL, host text NOT NULL, app text, process text, message text, raw text)`,
  );
  writeFileSync(join(folder, "rsyslog.conf"), configuration(folder, port, postgresUrl, table, workers, lines.length));
  const args = ["-n", "-f", join(folder, "rsyslog.conf"), "-i", join(folder, "pid")];
  const child = spawn(RSYSLOGD, args, { stdio: ["ignore", "inherit", "inherit"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    const socket = await reach(port);
    const started = performance.now();
    socket.write(bytes);
    for (let last = -1; last < lines.length; ) {
      await delay(LOOK_MS);
      if (child.exitCode !== null) throw new Error(`rsyslogd ended with ${child.exitCode}`);
      const { rows } = await pool.query<{ last: string }>(`SELECT last_value AS last FROM ${table}_id_seq`);
      last = Number(rows[0]!.last);
      if (last < lines.length) continue;
      const { rows: counted } = await pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
      last = Number(counted[0]!.count);
    }
    const seconds = (performance.now() - started) / 1000;
    socket.destroy();
    return { perSecond: lines.length / seconds, micros: processorMicros(child.pid!) / lines.length };
  } finally {
    child.kill("SIGKILL");
    await gone;
    await delay(ENDED_MS); // its backends end, and are counted with it
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Large batches, one transaction each, in a queue that holds all of it: as fast as it is known to go. */
function configuration(
  folder: string,
  port: number,
  postgresUrl: string,
  table: string,
  workers: number,
  lines: number,
): string {
  const value = (property: string, format = "") => `property(name="${property}"${format}) constant(value="','")`;
  return `global(workDirectory="${folder}" maxMessageSize="64k")
module(load="imptcp")
module(load="ompgsql")
template(name="row" type="list" option.stdsql="on") {
  constant(value="INSERT INTO ${table} (received, time, facility, severity, host, app, process, message, raw) VALUES ('")
  ${value("timegenerated", ' dateFormat="rfc3339"')} ${value("timereported", ' dateFormat="rfc3339"')}
  ${value("syslogfacility")} ${value("syslogseverity")} ${value("hostname")} ${value("app-name")} ${value("procid")}
  ${value("msg")} property(name="rawmsg") constant(value="')")
}
ruleset(name="in" queue.type="LinkedList" queue.size="${2 * lines}" queue.dequeueBatchSize="2048"
        queue.workerThreads="${workers}" queue.workerThreadMinimumMessages="100") {
  action(type="ompgsql" conninfo="${postgresUrl}" template="row")
}
input(type="imptcp" address="127.0.0.1" port="${port}" ruleset="in")
`;
}

async function reach(port: number): Promise<ReturnType<typeof connect>> {
  for (const end = Date.now() + STARTED_MS_MAX; ; ) {
    const socket = connect(port, "127.0.0.1");
    try {
      return await new Promise((resolve, reject) => {
        socket.once("connect", () => resolve(socket));
        socket.once("error", reject);
      });
    } catch (error) {
      if (Date.now() > end) throw new Error("rsyslogd did not start", { cause: error });
      await delay(100);
    }
  }
}
