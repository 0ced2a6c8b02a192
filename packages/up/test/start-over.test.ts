/** Starting over a state folder that was left in any way: killed parents, stale files, taken ports. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureKeys } from "../src/keys.ts";
import { askedPort, choosePort, freePort } from "../src/ports.ts";
import { startPostgres } from "../src/postgres.ts";
import { RunFile } from "../src/run.ts";

const SOURCE = fileURLToPath(new URL("../src/", import.meta.url));

describe("the embedded Postgres", () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-over-"));
    await ensureKeys(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function ask(url: string, sql: string): Promise<object[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client
      .query(sql)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  it("keeps what was written when its parent was killed and left it running", async () => {
    const port = await freePort();
    const program = `
      import { startPostgres } from ${JSON.stringify(`${SOURCE}postgres.ts`)};
      import pg from "pg";
      const { url } = await startPostgres({ stateFolder: ${JSON.stringify(folder)}, port: ${port} });
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query("CREATE TABLE kept AS SELECT 7 AS seven");
      process.kill(process.pid, "SIGKILL");`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], { cwd: SOURCE, stdio: "inherit" });
    await new Promise((resolve) => parent.once("exit", resolve));
    expect(existsSync(join(folder, "postgres", "postmaster.pid"))).toBe(true);
    const postgres = await startPostgres({ stateFolder: folder, port });
    expect(await ask(postgres.url, "SELECT seven FROM kept")).toEqual([{ seven: 7 }]);
    await postgres.stop();
  });

  it("starts beside a stale pid file whose number is another program's", async () => {
    const port = await freePort();
    await (await startPostgres({ stateFolder: folder, port })).stop();
    writeFileSync(
      join(folder, "postgres", "postmaster.pid"),
      `${process.pid}\n${folder}/postgres\n1\n${port}\n\n127.0.0.1\n`,
    );
    const postgres = await startPostgres({ stateFolder: folder, port });
    expect(await ask(postgres.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it("makes the cluster anew where making it broke off", async () => {
    mkdirSync(join(folder, "postgres.new"));
    writeFileSync(join(folder, "postgres.new", "half"), "a cluster");
    const postgres = await startPostgres({ stateFolder: folder, port: await freePort() });
    expect(await ask(postgres.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it("is started again when it dies", async () => {
    const restarts: string[] = [];
    const postgres = await startPostgres({
      stateFolder: folder,
      port: await freePort(),
      onRestart: (reason) => restarts.push(reason),
    });
    postgres.child.kill("SIGKILL");
    for (let tries = 0; ; tries++) {
      const rows = restarts.length > 0 && (await ask(postgres.url, "SELECT 1 AS one").catch(() => undefined));
      if (rows) break;
      if (tries > 600) throw new Error("it did not come back");
      await delay(100);
    }
    expect(restarts).toEqual(["ended by SIGKILL"]);
    await postgres.stop();
  });
});

describe("ports", () => {
  let busy: Server;
  let port: number;
  beforeEach(async () => {
    busy = createServer();
    await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
    port = (busy.address() as { port: number }).port;
  });
  afterEach(() => busy.close());

  it("that were asked for and are taken are refused, with the variable's name", async () => {
    await expect(choosePort("web", { asked: port, taken: new Set(), say: () => undefined })).rejects.toThrow(
      /SALLYPORT_WEB_PORT/,
    );
  });

  it("that were not asked for give way to the next free one, said aloud", async () => {
    const said: string[] = [];
    const chosen = await choosePort("mqtt", { last: port, taken: new Set(), say: (line) => said.push(line) });
    expect(chosen).toBeGreaterThan(port);
    expect(said.join("\n")).toMatch(/in use by another program.*enrolled earlier/s);
  });

  it("are numbers from 1 to 65535, or a sentence", () => {
    expect(askedPort("web", { SALLYPORT_WEB_PORT: "8080" })).toBe(8080);
    expect(askedPort("web", {})).toBeUndefined();
    for (const bad of ["x", "70000", "-1", "1.5"])
      expect(() => askedPort("web", { SALLYPORT_WEB_PORT: bad })).toThrow(/is no port/);
  });
});

describe("a state folder", () => {
  it("belongs to one stack at a time, and a killed one's processes are stopped", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-run-"));
    const sleeper = spawn("sleep", ["600"]);
    const gone = new Promise((resolve) => sleeper.once("exit", resolve));
    const first = new RunFile(folder);
    await first.claim(() => undefined);
    first.note("worker", sleeper.pid!);
    const written = readFileSync(join(folder, "run.json"), "utf8");
    // the same file as if another process, by now dead, had written it
    writeFileSync(join(folder, "run.json"), written.replace(`"pid":${process.pid}`, '"pid":4194303'));
    const said: string[] = [];
    await new RunFile(folder).claim((line) => said.push(line));
    await gone;
    expect(said).toEqual(["An earlier run was killed: stopping what it left (worker)."]);
    const alive = spawn("sleep", ["600"]);
    new RunFile(folder).note("up", alive.pid!);
    await expect(new RunFile(folder).claim(() => undefined)).rejects.toThrow(/already runs on this state folder/);
    alive.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it("with a torn run.json is taken over", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-run-"));
    writeFileSync(join(folder, "run.json"), '{"processes":[{');
    await new RunFile(folder).claim(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });
});
