import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { appendFile, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import { spoolPath } from "../../src/spool/open.ts";
import { until } from "./outlet.ts";
import { openHere } from "./spool.ts";

let folder: string;
let reader: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "killed-"));
});
afterEach(async () => {
  reader?.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

const script = fileURLToPath(new URL("reader.ts", import.meta.url));
const talker = fileURLToPath(new URL("talker.ts", import.meta.url));

/** Resolves once it has synced so many parcels. */
async function startReader(state: string, path: string, parcels: number): Promise<ChildProcess> {
  const args = ["--disable-warning=ExperimentalWarning", script, state, path];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let synced = 0;
  child.stdout!.on("data", (dots: Buffer) => {
    synced += dots.length;
  });
  await until(() => synced >= parcels || child.exitCode !== null, "the reader reads");
  if (child.exitCode !== null) throw new Error("the reader ended before it was killed");
  return child;
}

type Body = { event?: { n?: number }; lines?: number; via?: string };

/** The bodies of all records in the spool, in the trail's order. */
function bodies(spool: ReturnType<typeof openHere>["spool"]): Body[] {
  const found: Body[] = [];
  for (let from = 0; from < spool.size; ) {
    const { records, end } = spool.read(from, 5_000, 64 * 1024 * 1024);
    found.push(...records.map(({ content }) => (JSON.parse(content!) as { body: Body }).body));
    from = end;
  }
  return found;
}
const numbers = (all: Body[]) => all.flatMap(({ event }) => event?.n ?? []);
const heldBack = (all: Body[]) => all.reduce((sum, { lines }) => sum + (lines ?? 0), 0);

it("what Suricata wrote is in the spool once and in order, however often the agent was killed with -9 and the file rotated", async () => {
  const path = join(folder, "eve.json");
  const state = join(folder, "state");
  let written = 0;
  const write = async (count: number) => {
    const lines = Array.from(
      { length: count },
      (_, at) => `{"timestamp":"t","event_type":"x","n":${written + at},"pad":"${"x".repeat(300)}"}\n`,
    );
    written += count;
    // in two halves, so that a kill finds a torn line
    const all = lines.join("");
    await appendFile(path, all.slice(0, all.length - 100));
    return () => appendFile(path, all.slice(all.length - 100));
  };
  for (let life = 0; life < 6; life++) {
    const more = await write(4_000);
    reader = await startReader(state, path, 1 + (life % 4));
    await more();
    const rest = await write(4_000);
    reader.kill("SIGKILL");
    await once(reader, "exit");
    await rest();
    if (life % 2 === 1) {
      await rename(path, `${path}.${9 - life}`);
      await writeFile(path, "");
    }
  }
  const { spool, intake, outlet } = openHere(state);
  const before = spool.size;
  const controller = new AbortController();
  const running = eveFile({ path, dom0: realDom0, graceMs: 50 }).run(outlet, controller.signal);
  await until(() => spool.size > written, "the rest is read"); // and the record that opens the trail
  controller.abort();
  await running;
  intake.close();
  expect(before).toBeGreaterThan(1);
  expect(numbers(bodies(spool))).toEqual(Array.from({ length: written }, (_, n) => n));
});

it("each alert that a limit held back is in the count that is told, once, however often the agent was killed with -9", async () => {
  const path = join(folder, "eve.json");
  const state = join(folder, "state");
  let written = 0;
  const alerts = (count: number) =>
    Array.from(
      { length: count },
      (_, at) =>
        `{"timestamp":"2026-11-24T10:00:00.000000+0000","event_type":"alert","src_ip":"10.1.0.2","dest_ip":"192.0.2.1","proto":"UDP","alert":{"action":"allowed","gid":1,"signature_id":7,"rev":1,"signature":"x","category":"","severity":2},"n":${written + at}}\n`,
    ).join("");
  for (let life = 0; life < 6; life++) {
    await appendFile(path, alerts(4_000));
    written += 4_000;
    reader = await startReader(state, path, 1 + (life % 4));
    reader.kill("SIGKILL");
    await once(reader, "exit");
  }
  const { spool, intake, outlet } = openHere(state);
  const controller = new AbortController();
  const running = eveFile({ path, dom0: realDom0, graceMs: 50 }).run(outlet, controller.signal);
  const { size } = await stat(path);
  await until(() => (outlet.position(path) as { offset: number } | undefined)?.offset === size, "the rest is read");
  controller.abort();
  await running;
  intake.close();
  const all = bodies(spool);
  const kept = numbers(all);
  expect(new Set(kept).size).toBe(kept.length);
  expect(kept.length + heldBack(all)).toBe(written);
  expect(heldBack(all)).toBeGreaterThan(written / 2);
});

it("lines of the network that a limit held back are told by the next life, but for those of the last moment before a kill -9", async () => {
  const state = join(folder, "state");
  mkdirSync(state);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", talker, state, "1000"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  reader = child;
  const kept = () => {
    if (!existsSync(spoolPath(state))) return undefined;
    const database = new DatabaseSync(spoolPath(state), { readOnly: true });
    try {
      return database.prepare("SELECT value FROM state WHERE key = 'untold'").get()?.value as string | undefined;
    } catch {
      return undefined; // its tables are not there yet
    } finally {
      database.close();
    }
  };
  await until(() => kept()?.includes('"lines":800') ?? child.exitCode !== null, "the count is kept");
  child.kill("SIGKILL");
  await once(child, "exit");
  const { spool, intake } = openHere(state);
  intake.close();
  const told = bodies(spool).filter(({ lines }) => lines !== undefined);
  expect(told).toMatchObject([{ via: "udp", lines: 800, reason: "rate" }]);
  expect(openHere(state).spool.remembered("untold")).toEqual({ lines: [], lost: [] });
});
