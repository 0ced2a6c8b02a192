import { appendFile, copyFile, mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { IdsEvent } from "@sallyport/shared/record/ids.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import { type Kept, keeper, type Running, run, until } from "./outlet.ts";

let folder: string;
let path: string;
let running: Running | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "follow-"));
  path = join(folder, "eve.json");
});
afterEach(async () => {
  await running?.stop().catch(() => {});
  running = undefined;
  await rm(folder, { recursive: true });
});

const source = () => eveFile({ path, dom0: realDom0, graceMs: 60 });
const line = (n: number, more = "") =>
  `{"timestamp":"2026-11-24T09:00:00.000000+0000","event_type":"x","n":${n}${more}}\n`;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const write = (from: number, to: number) =>
  appendFile(
    path,
    range(from, to)
      .map((n) => line(n))
      .join(""),
  );
const seen = ({ observations }: Kept) =>
  observations.filter((each) => each.kind === "ids.event").map((each) => (each.body as IdsEvent).event.n);
const notes = ({ observations }: Kept) =>
  observations.filter((each) => each.kind === "agent.malformed").map((each) => each.body.reason);

describe("a followed file", () => {
  it("that is not there yet is absent, and read once it comes", async () => {
    running = run(source());
    const { kept } = running;
    await until(() => kept.states.some(({ state }) => state === "absent"), "it is absent");
    await write(0, 3);
    await until(() => seen(kept).length === 3, "three events");
    expect(kept.states.at(-1)).toEqual({ state: "running", at: path });
  });

  it("gives a torn last line once the rest of it is there", async () => {
    await writeFile(path, `${line(0)}${line(1).slice(0, 40)}`);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 1, "the whole line");
    await appendFile(path, line(1).slice(40));
    await until(() => seen(kept).length === 2, "the torn line");
    expect(seen(kept)).toEqual([0, 1]);
    expect(notes(kept)).toEqual([]);
  });

  it("rotated by rename is read to its end, late lines too, before the new one", async () => {
    await write(0, 2);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 2, "the first lines");
    await rename(path, `${path}.1`);
    await writeFile(path, line(3));
    await appendFile(`${path}.1`, line(2));
    await until(() => seen(kept).length === 4, "all lines");
    expect(seen(kept)).toEqual([0, 1, 2, 3]);
    expect(notes(kept)).toEqual([]);
  });

  it("rotated by rename with a torn end gives that as a record", async () => {
    await writeFile(path, `${line(0)}{"timestamp":`);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 1, "the first line");
    await rename(path, `${path}.1`);
    await write(1, 2);
    await until(() => seen(kept).length === 2, "the new file's line");
    expect(kept.observations.map((each) => each.kind)).toEqual(["ids.event", "agent.malformed", "ids.event"]);
  });

  it("rotated by copy and cut goes on in the copy where it was not read to its end", async () => {
    await write(0, 100);
    running = run(source());
    await until(() => seen(running!.kept).length === 100, "the first lines");
    const { positions } = running.kept;
    await running.stop();
    await write(100, 120);
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    await write(120, 300);
    running = run(source(), keeper(positions));
    const { kept } = running;
    await until(() => seen(kept).length === 200, "all lines");
    expect(seen(kept)).toEqual(range(100, 300));
    expect(notes(kept)).toEqual([]);
  });

  it("cut with no copy is read from its begin, and says that something may be lost", async () => {
    await write(0, 10);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 10, "the first lines");
    await truncate(path, 0);
    await write(10, 40);
    await until(() => seen(kept).length === 40, "all lines");
    expect(seen(kept)).toEqual(range(0, 40));
    expect(notes(kept)).toEqual([expect.stringContaining("the file was cut after byte")]);
  });

  it("rotated several times while nobody read it is read on through all of them", async () => {
    await write(0, 5);
    running = run(source());
    await until(() => seen(running!.kept).length === 5, "the first lines");
    const { positions } = running.kept;
    await running.stop();
    await write(5, 10);
    for (const from of [10, 20, 30]) {
      for (const n of [2, 1]) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(() => {});
      await rename(path, `${path}.1`);
      await write(from, from + 10);
    }
    running = run(source(), keeper(positions));
    const { kept } = running;
    await until(() => seen(kept).includes(39), "the last line");
    expect(seen(kept)).toEqual(range(5, 40));
  });

  it("rotated while nobody read it, beside a hundred older files, is read to its end", async () => {
    for (const n of range(0, 100)) await writeFile(`${path}-202607${String(n).padStart(2, "0")}`, line(1000 + n));
    await write(0, 2);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 2, "the first lines");
    await running.stop();
    await write(2, 5);
    await rename(path, `${path}-20261124`);
    await writeFile(path, line(5));
    running = run(source(), kept);
    await until(() => seen(kept).includes(5), "the new file's line");
    expect(seen(kept)).toEqual(range(0, 6));
    expect(notes(kept)).toEqual([]);
  });

  it("rotated more often than one look reads, while nobody read it, is read on through all of them", async () => {
    await write(0, 1);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 1, "the first line");
    await running.stop();
    for (const n of range(1, 91)) {
      await rename(path, `${path}-202607${String(n).padStart(2, "0")}`);
      await writeFile(path, line(n));
    }
    running = run(source(), kept);
    await until(() => seen(kept).includes(90), "the newest file's line");
    expect(seen(kept)).toEqual(range(0, 91));
    expect(notes(kept)).toEqual([]);
  });

  it("whose place is gone says so and reads what is there", async () => {
    await write(0, 5);
    running = run(source());
    await until(() => seen(running!.kept).length === 5, "the first lines");
    const { positions } = running.kept;
    await running.stop();
    await rename(path, join(folder, "elsewhere"));
    await write(5, 7);
    running = run(source(), keeper(positions));
    const { kept } = running;
    await until(() => seen(kept).length === 2, "the new lines");
    expect(notes(kept)).toEqual([expect.stringContaining("another file stands where this one was read")]);
  });

  it("keeps a line longer than any record in parts, and reads on behind it", async () => {
    await writeFile(path, `${"x".repeat(500_000)}\n${line(1)}`);
    running = run(source());
    const { kept } = running;
    await until(() => seen(kept).length === 1, "the line behind it");
    const parts = kept.observations.filter((each) => each.kind === "agent.malformed");
    expect(parts.map((each) => each.body.bytes).reduce((a, b) => a + b)).toBe(500_000);
    expect(parts.every((each) => !each.body.truncated)).toBe(true);
  });

  it("is read exactly once, however often its reader is killed and the file rotated", async () => {
    const positions = new Map<string, Json>();
    const all: unknown[] = [];
    let written = 0;
    for (let life = 0; life < 25; life++) {
      const more = 1 + ((life * 7919) % 3000);
      await write(written, written + more);
      written += more;
      if (life % 4 === 3) {
        await rename(path, `${path}.${life}`);
        await writeFile(path, "");
      }
      const kept = keeper(positions, life % 5);
      const one = run(source(), kept);
      await Promise.race([
        one.finished.catch(() => {}),
        until(() => all.length + seen(kept).length === written, "").catch(() => {}),
      ]);
      await one.stop().catch(() => {});
      all.push(...seen(kept));
      expect(notes(kept)).toEqual([]);
    }
    running = run(source(), keeper(positions));
    await until(() => all.length + seen(running!.kept).length >= written, "all lines");
    all.push(...seen(running.kept));
    expect(all).toEqual(range(0, written));
  });
});
