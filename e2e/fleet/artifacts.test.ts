/** A fleet without internet is kept current from the console: a file that an admin adds over the console's route is what the
 *  scanner of a workstation finds with, and a bad one changes nothing. Real worker, broker, Postgres, agent and clamd. */
import "reflect-metadata";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { respondArtifact } from "../../apps/web/src/artifact/respond.ts";
import { Slots } from "../../apps/web/src/export/slots.ts";
import { makeToken } from "../../apps/web/src/person/api-token.ts";
import { readConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import type { Context } from "../../apps/web/src/trpc/context.ts";
import { appRouter } from "../../apps/web/src/trpc/router.ts";
import { type Stack, startStack } from "../../packages/up/src/start.ts";

const CLAMD = "/usr/sbin/clamd";
const absent = existsSync(CLAMD) ? null : "no clamd";
if (absent && process.env.CI) throw new Error("clamd is missing: apt install clamav-daemon");
const SALLYPORT = join(import.meta.dirname, "../../packages/cli/bin/sallyport.mjs");
const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
const COMES_TRUE_MS_MAX = 90_000;
const WORDS = "words that this site does not want on a stick";
const hex = (text: string) => Buffer.from(text).toString("hex");

describe.skipIf(absent)("definitions that an admin adds", () => {
  let folder: string;
  let stack: Stack;
  let pool: pg.Pool;
  let server: Server;
  let url: string;
  let token: string;
  let clamd: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-artifacts-"));
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "scanner"), { mode: 0o755 });
    const conf = join(folder, "scanner/clamd.conf");
    const settings = {
      ...{ DatabaseDirectory: join(folder, "scanner/db/current"), LocalSocket: join(folder, "scanner/clamd.sock") },
      ...{ Foreground: "yes", DisableCache: "yes", AlertExceedsMax: "yes", ConcurrentDatabaseReload: "yes" },
    };
    writeFileSync(
      conf,
      Object.entries(settings)
        .map(([name, value]) => `${name} ${value}\n`)
        .join(""),
    );
    mkdirSync(join(folder, "state/agent"), { recursive: true, mode: 0o700 });
    const config = {
      scanner: { folder: join(folder, "scanner/db"), conf, program: [CLAMD] },
      sticks: join(folder, "state/sticks"),
    };
    writeFileSync(join(folder, "state/agent/config.json"), JSON.stringify(config));
    const env = { SALLYPORT_CLAMD_CONF: conf };
    stack = await startStack({ stateFolder: join(folder, "state"), ports: PORTS, console: false, env });
    pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 4 });
    pool.on("error", () => undefined); // the server is stopped under it at the end
    await pool.query("INSERT INTO person (id, name, email, role) VALUES ('nora', 'Nora', 'nora@example.org', 'admin')");
    const scopes = ["artifact:read", "artifact:write"] as const;
    token = (await makeToken(pool, { person: "nora", name: "t", scopes, days: 1 })).token;
    const recordConsole = consoleRecorder(readConsoleKey(stack.keys.console));
    server = createServer(async (incoming, outgoing) => {
      const asked = new Request(new URL(incoming.url ?? "/", url), {
        method: incoming.method ?? "GET",
        headers: incoming.headers as Record<string, string>,
        ...(incoming.method === "POST" && { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" }),
      } as RequestInit);
      const parts = { pool, recordConsole, artifactSlots: new Slots(1) };
      const path = new URL(asked.url).pathname.split("/api/artifact")[1]!.split("/").filter(Boolean);
      const response = await respondArtifact(parts, async () => undefined, asked, path);
      outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    clamd?.kill("SIGKILL");
    server?.closeAllConnections();
    server?.close();
    await pool?.end();
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function add(name: string, text: string): Promise<{ name: string; sha256: string }> {
    const file = join(folder, name);
    writeFileSync(file, text);
    const env = { ...process.env, SALLYPORT_URL: url, SALLYPORT_TOKEN: token };
    const child = spawn(process.execPath, [SALLYPORT, "artifact", "add", "--json", file], { env });
    let [out, err] = ["", ""];
    child.stdout.on("data", (bytes) => (out += bytes));
    child.stderr.on("data", (bytes) => (err += bytes));
    const code = await new Promise((resolve) => child.on("close", resolve));
    if (code !== 0) throw new Error(err);
    const { sha256 } = JSON.parse(out) as { sha256: string };
    return { name, sha256 };
  }

  let order = 0;
  async function publish(definitions: { name: string; sha256: string }[]): Promise<void> {
    const consoleKey = readConsoleKey(stack.keys.console);
    const actor = {
      id: "nora",
      email: "nora@example.org",
      name: "Nora",
      role: "admin",
      session: "s",
      twoFactor: true,
    } as const;
    const wiring = { pool, consoleKey, recordConsole: consoleRecorder(consoleKey) } as unknown as Context["wiring"];
    const context: Context = { wiring, actor, still: async () => actor, origin: {}, host: "x" };
    const { rows } = await pool.query<{ group_id: string }>("SELECT group_id FROM workstation");
    const newest = await pool.query<{ order: number }>('SELECT max("order") AS order FROM publication');
    const source = JSON.stringify({ agent: { reportSeconds: 5 }, usb: { definitions } });
    const group = rows[0]!.group_id as never;
    await appRouter
      .createCaller(context)
      .policy.publish({ group, source, message: "new definitions", basedOn: newest.rows[0]!.order });
    order = newest.rows[0]!.order + 1;
  }

  type Section = { outcome: string; reason?: string; found?: { scanner?: { set?: string; files?: number } | null } };
  async function untilUsb(holds: (usb: Section) => boolean, what: string): Promise<Section> {
    let last: unknown;
    for (const end = Date.now() + COMES_TRUE_MS_MAX; Date.now() < end; await delay(200)) {
      const { rows } = await pool.query<{ usb: Section; order: number | null }>(
        "SELECT document #> '{sections,usb}' AS usb, (document #>> '{policy,order}')::int AS order FROM reported",
      );
      last = rows[0];
      if (rows[0]?.order === order && holds(rows[0].usb)) return rows[0].usb;
    }
    throw new Error(`never came true: ${what}; last ${JSON.stringify(last)}\n${stack.children.get("agent")?.tail}`);
  }
  const verdicts = async () =>
    (
      await pool.query<{ source: string; verdict: string; content: Buffer }>(
        "SELECT s.source, s.verdict, r.content FROM scan s JOIN record r ON r.trail = s.trail AND r.index = s.index AND r.received = s.received",
      )
    ).rows;

  it("are in force on a workstation when its policy names them, and its scans say with which set", {
    timeout: 600_000,
  }, async () => {
    const one = await add("site.ndb", `Site.Words:0:*:${hex(WORDS)}\n`);
    await publish([one]);
    await untilUsb(
      ({ reason }) => reason?.includes("lie ready, and clamd does not answer") ?? false,
      "the set lies ready",
    );
    clamd = spawn(CLAMD, ["-c", join(folder, "scanner/clamd.conf")], { stdio: "ignore" });
    const usb = await untilUsb(({ found }) => found?.scanner?.set !== undefined, "the scanner has the set");
    expect(usb.found?.scanner).toMatchObject({ files: 1, engine: expect.stringMatching(/^ClamAV/) });

    mkdirSync(join(folder, "state/sticks"), { recursive: true });
    writeFileSync(join(folder, "state/sticks/stick.img"), ext4With(folder, WORDS));
    await until(async () => (await verdicts()).length > 0, "the stick was scanned");
    const [scan] = await verdicts();
    expect(scan).toMatchObject({ verdict: "block" });
    expect(JSON.parse(scan!.content.toString()).body.scanner.set).toBe(usb.found?.scanner?.set);
  });

  it("that clamd refuses are told, and what was in force stays", { timeout: 600_000 }, async () => {
    const before = await untilUsb(({ found }) => found?.scanner?.set !== undefined, "the scanner has the set");
    // as clamd's own language has it, and wrong in it: the console cannot know
    const bad = await add("bad.ldb", "Site.Bad;Engine:51-255,Target:0;(0;41424344\n");
    await publish([bad]);
    const usb = await untilUsb(
      ({ outcome, reason }) => outcome === "failed" && /refuses the definitions/.test(reason ?? ""),
      "refused",
    );
    expect(usb.found?.scanner?.set).toBe(before.found?.scanner?.set);
    const kinds = await pool.query("SELECT text FROM record WHERE kind = 'person.artifact-added' ORDER BY received");
    expect(kinds.rowCount).toBe(2);
  });

  it("that nobody has are told, and what was in force stays", { timeout: 600_000 }, async () => {
    await publish([{ name: "daily.cvd", sha256: "0".repeat(64) }]);
    const usb = await untilUsb(({ outcome }) => outcome === "failed", "not fetched");
    expect(usb.reason).toMatch(/daily\.cvd 000000000000 could not be fetched.*This console has no artifact/);
    expect(usb.found?.scanner?.set).toBeDefined();
  });
});

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + COMES_TRUE_MS_MAX; !(await holds()); await delay(200))
    if (Date.now() > end) throw new Error(`never came true: ${what}`);
}

/** An image with one file in it. */
function ext4With(folder: string, text: string): Buffer {
  const [root, image] = [join(folder, "root"), join(folder, "fs.img")];
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, "a.txt"), text);
  writeFileSync(image, Buffer.alloc(4 * 1024 * 1024));
  execFileSync("/usr/sbin/mkfs.ext4", ["-q", "-F", "-O", "^has_journal", "-d", root, image]);
  return readFileSync(image);
}
