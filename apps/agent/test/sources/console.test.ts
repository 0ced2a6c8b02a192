import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { consoleFiles } from "../../src/sources/console/source.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { type Kept, keeper, type Running, run, until } from "./outlet.ts";

let folder: string;
let running: Running | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "console-"));
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await rm(folder, { recursive: true });
});

const guests = guestMap([{ id: "work" as never, console: "work" }]);
const source = () =>
  consoleFiles({ folder, pattern: "guest-*.log", guests, dom0: realDom0, graceMs: 40, lookEveryMs: 10 });
const lines = ({ observations }: Kept) =>
  observations.map(({ guest, body }) => `${guest}: ${(body as GuestLog).message}`);

describe("guests' consoles", () => {
  it("are each followed under the guest of the file's name, new ones as they come", async () => {
    await writeFile(join(folder, "guest-work.log"), "one\n");
    await writeFile(join(folder, "hypervisor.log"), "not a guest\n");
    running = run(source());
    const { kept } = running;
    await until(() => lines(kept).length === 1, "the first guest's line");
    await writeFile(join(folder, "guest-usb.log"), "two\n");
    await until(() => lines(kept).length === 2, "the second guest's line");
    expect(lines(kept)).toEqual(["work: one", expect.stringMatching(/^guest-[0-9a-f]{12}: two$/)]);
  });

  it("rotated by rename are not taken for another guest's", async () => {
    const path = join(folder, "guest-work.log");
    await writeFile(path, "one\n");
    running = run(source());
    const { kept } = running;
    await until(() => lines(kept).length === 1, "the first line");
    await rename(path, `${path}.1`);
    await writeFile(path, "two\n");
    await until(() => lines(kept).length === 2, "the second line");
    expect(lines(kept)).toEqual(["work: one", "work: two"]);
  });

  it("with a line longer than policy allows give parts of one id, over a kill in the middle of it", async () => {
    const path = join(folder, "guest-work.log");
    await writeFile(path, "x".repeat(1_000));
    const kept = keeper();
    kept.lineBytesMax = 480;
    running = run(source(), kept);
    await until(() => kept.observations.length === 2, "two parts");
    await running.stop();
    await appendFile(path, `${"y".repeat(500)}\nnext\n`);
    const again = keeper(kept.positions);
    again.lineBytesMax = 480;
    running = run(source(), again);
    await until(() => again.observations.length === 3, "the rest");
    const all = [...kept.observations, ...again.observations].map(({ body }) => body as GuestLog);
    const parts = all.slice(0, 4);
    expect(parts.map(({ raw }) => raw).join("")).toBe(`${"x".repeat(1_000)}${"y".repeat(500)}`);
    expect(parts.map(({ part }) => [part?.number, part?.last])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
    ]);
    expect(new Set(parts.map(({ part }) => part?.of)).size).toBe(1);
    expect(all[4]).toMatchObject({ message: "next" });
  });

  it("that one user may not read do not keep the others from being read", async () => {
    await writeFile(join(folder, "guest-a.log"), "a\n");
    await writeFile(join(folder, "guest-work.log"), "b\n");
    const locked = {
      ...realDom0,
      open: async (path: string) => {
        if (path.endsWith("guest-a.log")) throw new Error("this user may not read it");
        return realDom0.open(path);
      },
    };
    running = run(consoleFiles({ folder, pattern: "guest-*.log", guests, dom0: locked, graceMs: 40, lookEveryMs: 10 }));
    const { kept } = running;
    await until(() => lines(kept).length === 1, "the readable one");
    await until(() => kept.states.some(({ state }) => state === "failed"), "it says so");
    expect(lines(kept)).toEqual(["work: b"]);
  });
});
