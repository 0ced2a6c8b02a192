/** A volume that did not change is looked at without a program; whatever changed is seen at the next look. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { DiskState } from "@sallyport/shared/disk/state.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentConfig } from "../../src/config.ts";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { volumeOf } from "../../src/volume.ts";
import { missing } from "../gate/packages.ts";
import { hasLoops, QUICK } from "./volume.ts";

const SIZE = 32 * 1024 * 1024;
const HOUR_MS = 3_600_000;
const WORKSTATION = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const key = new TextEncoder().encode("the pass phrase");
const without = missing("cryptsetup", "wipefs");

describe.skipIf(without !== null)("a volume that is looked at again", () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const disk = cryptsetupDisk(realDom0, QUICK);
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-again-"));
    await laid("volume");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  async function laid(name: string) {
    await disk.create(at(name), SIZE);
    await disk.format(at(name), key);
  }
  /** The agent's own section for it, and which programs its looks started. */
  function looker(device = at("volume")) {
    const programs: string[] = [];
    let passed = 0;
    const counted: typeof realDom0 = {
      ...realDom0,
      monotonic: () => passed,
      run(program, args, limits) {
        programs.push([program, ...args].join(" "));
        return realDom0.run(program, args, limits);
      },
    };
    const { applier } = volumeOf(AgentConfig.parse({ disk: { volume: device } }), WORKSTATION, folder, counted);
    const look = async () => {
      const before = programs.length;
      const { content } = DiskState.parse(await applier.inspect());
      return { content, started: programs.length - before };
    };
    const pass = (ms: number) => {
      passed += ms;
    };
    return { look, pass };
  }
  /** The second look is the first that knows how much to compare. */
  async function known(device?: string) {
    const on = looker(device);
    await on.look();
    const { content } = await on.look();
    expect(await on.look()).toEqual({ content, started: 0 });
    if (content.is !== "luks2") throw new Error(content.is);
    return { ...on, content };
  }

  it("starts no program while nothing changes, and looks at all of it again after a while", async () => {
    const { look, pass, content } = await known();
    expect(await look()).toEqual({ content, started: 0 });
    pass(HOUR_MS);
    const after = await look();
    expect(after.content).toEqual(content);
    expect(after.started).toBeGreaterThan(0);
    expect((await look()).started).toBe(0);
  });

  it("shows a header that was changed, and then rests on that", async () => {
    const { look } = await known();
    await disk.addKey(at("volume"), key, new TextEncoder().encode("another"), 5);
    const { content } = await look();
    expect(content.is === "luks2" && content.slots.map(({ slot }) => slot)).toEqual([0, 5]);
    expect(await look()).toEqual({ content, started: 0 });
    await disk.overwrite(at("volume"), 16 * 1024 * 1024);
    expect((await look()).content).toMatchObject({ is: "other" });
  });

  it("shows another volume in its place, also one with the same header", async () => {
    await laid("other");
    copyFileSync(at("volume"), at("same"));
    symlinkSync(at("volume"), at("link"));
    const { look, content } = await known(at("link"));
    const turn = (to: string) => {
      symlinkSync(at(to), at("next"));
      renameSync(at("next"), at("link"));
    };
    turn("same");
    const same = await look();
    expect([same.content, same.started > 0]).toEqual([content, true]);
    turn("other");
    const other = await look();
    expect(other.content).toMatchObject({ is: "luks2" });
    expect(other.content).not.toMatchObject({ uuid: content.uuid });
  });

  it("shows that it is gone, is no volume, or cannot be read", async () => {
    const { look, content } = await known();
    renameSync(at("volume"), at("aside"));
    expect((await look()).content).toEqual({ is: "absent" });
    writeFileSync(at("volume"), "");
    expect((await look()).content).toMatchObject({ is: "other" });
    rmSync(at("volume"));
    execFileSync("mkdir", [at("volume")]);
    expect((await look()).content).toMatchObject({ is: "unreadable" });
    rmSync(at("volume"), { recursive: true });
    renameSync(at("aside"), at("volume"));
    expect((await look()).content).toEqual(content);
  });

  it.skipIf(missing("losetup") !== null || !hasLoops())(
    "reads a device past what the kernel remembers of it",
    async () => {
      const device = execFileSync("losetup", ["--find", "--show", at("volume")], { encoding: "utf8" }).trim();
      // as an open volume does, it keeps the kernel from forgetting
      const held = openSync(device, "r");
      try {
        readSync(held, Buffer.alloc(SIZE), 0, SIZE, 0);
        const { look } = await known(device);
        await disk.addKey(at("volume"), key, new TextEncoder().encode("another"), 5);
        const { content } = await look();
        expect(content.is === "luks2" && content.slots.map(({ slot }) => slot)).toEqual([0, 5]);
      } finally {
        closeSync(held);
        execFileSync("losetup", ["--detach", device]);
      }
    },
  );
});
