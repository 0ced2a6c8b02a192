import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
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

/** The numbers of all events in the spool, in the trail's order. */
function numbers(spool: ReturnType<typeof openHere>["spool"]): number[] {
  const found: number[] = [];
  for (let from = 0; from < spool.size; ) {
    const { records, end } = spool.read(from, 5_000, 64 * 1024 * 1024);
    for (const { content } of records) {
      const { body } = JSON.parse(content!) as { body: { event?: { n?: number } } };
      if (body.event?.n !== undefined) found.push(body.event.n);
    }
    from = end;
  }
  return found;
}

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
  expect(numbers(spool)).toEqual(Array.from({ length: written }, (_, n) => n));
});
