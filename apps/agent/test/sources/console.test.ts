import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { logFiles } from "../../src/dom0/log-files.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { simDom0 } from "../../src/sim/sim.ts";
import { consoleFiles } from "../../src/sources/console/source.ts";
import { boundedFiles } from "../../src/sources/follow/bound.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { type Host, realHost } from "../core/host.ts";
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
      openRegular: async (path: string) => {
        if (path.endsWith("guest-a.log")) throw new Error("this user may not read it");
        return realDom0.openRegular(path);
      },
    };
    running = run(consoleFiles({ folder, pattern: "guest-*.log", guests, dom0: locked, graceMs: 40, lookEveryMs: 10 }));
    const { kept } = running;
    await until(() => lines(kept).length === 1, "the readable one");
    await until(() => kept.states.some(({ state }) => state === "failed"), "it says so");
    expect(lines(kept)).toEqual(["work: b"]);
  });
});

const pretend = (): Host => {
  const dom0 = simDom0();
  // its clock goes on, so that a rotation's grace ends
  return { ...dom0, dom0: { ...dom0, monotonic: () => performance.now() }, folder: "/sim/console" };
};

describe.each([
  ["this machine", () => realHost(folder)],
  ["the pretend dom0", pretend],
])("a console on %s", (_, make) => {
  const begin = () => {
    const host = make();
    const path = `${host.folder}/guest-work.log`;
    const watch = {
      folder: host.folder,
      pattern: "guest-*.log",
      guests,
      dom0: host.dom0,
      graceMs: 40,
      lookEveryMs: 10,
    };
    running = run(consoleFiles(watch));
    const { kept } = running;
    const said = async (...all: string[]) => {
      const words = () => kept.observations.filter(({ kind }) => kind === "guest.log").map(({ text }) => text);
      await until(() => words().length >= all.length, `${all.at(-1)}, after ${words()}`);
      expect(words()).toEqual(all);
    };
    return { host, path, kept, said };
  };

  it("is read on over a rotation, a new one in its place, and the guest's next start", async () => {
    const { host, path, said } = begin();
    host.write(path, "one\n");
    await said("one");
    host.rename(path, `${path}.1`);
    host.append(`${path}.1`, "two\n");
    host.write(path, "three\n");
    await said("one", "two", "three");
    // xenconsoled makes it anew for a guest that starts again
    host.remove(path);
    host.write(path, "four\n");
    await said("one", "two", "three", "four");
  });

  it("that was cut is read from its begin, and that what lay between may be lost is told", async () => {
    const { host, path, kept, said } = begin();
    host.write(path, "one and more of it\n");
    await said("one and more of it");
    host.truncate(path, 0);
    host.append(path, "two\n");
    await said("one and more of it", "two");
    expect(kept.observations.find(({ kind }) => kind === "agent.malformed")?.text).toContain("the file was cut");
  });

  it("that a link took the place of is not read, is told, and is read again once it is a file", async () => {
    const { host, path, kept, said } = begin();
    host.write(path, "one\n");
    await said("one");
    host.link(path);
    const refused = () =>
      kept.states.some((state) => state.state === "failed" && state.reason.includes("symbolic link"));
    await until(refused, "it is refused");
    host.remove(path);
    host.write(path, "two\n");
    await said("one", "two");
  });
});

it("a console that grew past its bound before anybody read it is read from its begin, and only then moved aside", async () => {
  const path = join(folder, "guest-work.log");
  await writeFile(path, "first\n".repeat(1_000));
  const kept = keeper();
  const sweep = boundedFiles({
    ...{ name: "consoles", kind: "console", dom0: realDom0, files: logFiles, lookEveryMs: 5 },
    ...{ fileBytesMax: 1_000, bytesMax: 100_000 },
    paths: async () => [path],
    // the writer, as xenconsoled on SIGHUP
    reopen: () => appendFile(path, "next\n"),
  });
  const sweeping = run(sweep, kept);
  await until(() => kept.states.length > 0, "the bound was looked at");
  running = run(source(), kept);
  await until(() => lines(kept).includes("work: next"), "the new file's line");
  expect(lines(kept).filter((line) => line === "work: first")).toHaveLength(1_000);
  await sweeping.stop();
});
