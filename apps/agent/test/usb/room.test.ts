/** Sticks, their copies and the spool on one small real file system: none takes what another, or the spool, was promised. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UsbStepBody } from "@sallyport/shared/record/usb.ts";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { mountExt4 } from "../core/small-disk.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, makeBench } from "./gate.ts";

const absent = missing("mkfs.vfat", "mcopy", "mkfs.ext4");
const MIB = 1024 * 1024;
/** Free for sticks beside what the spool may grow by: a little more than one of them needs. */
const disk = absent === null ? mountExt4(96) : undefined;
afterAll(() => {
  if (disk !== undefined) execFileSync("umount", ["-l", disk], { stdio: "ignore" });
});

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
  if (disk === undefined) return;
  const state = join(disk, "state");
  mkdirSync(state, { recursive: true });
  bench.volume = join(disk, "volume");
  bench.spool = join(state, "spool.db");
  writeFileSync(bench.spool, "");
});
afterEach(() => bench.clear());

function fullStick(name: string, megabytes: number): string {
  const image = join(bench.root, name);
  const file = join(bench.root, "letter.bin");
  writeFileSync(file, randomBytes((megabytes - 2) * MIB));
  execFileSync("truncate", ["-s", `${megabytes}M`, image]);
  execFileSync("mkfs.vfat", [image]);
  execFileSync("mcopy", ["-i", image, file, "::letter.bin"]);
  return image;
}
const steps = (port: string) =>
  bench.records
    .filter(({ kind, text }) => kind === "usb.step" && text.startsWith(`Port ${port}:`))
    .map(({ body }) => body as UsbStepBody)
    .map(({ step, refused }) => (refused ? `refused at ${step}` : step));
const refusals = () => bench.said("usb.step").filter((text) => text.includes("refused"));

describe.skipIf(disk === undefined)("on one file system with the spool", () => {
  it("two sticks at once: the second is refused before it is read, and passes when the first has gone", async () => {
    const sticks = { "1-2": fullStick("a.img", 16), "1-3": fullStick("b.img", 16) };
    const both = Promise.withResolvers<void>();
    const ready = new Set<string>();
    bench.start({
      async reached({ step, device: { port } }) {
        if (step === "classified" && ready.add(port).size === 2) both.resolve();
        if (step === "classified") await both.promise;
      },
    });
    let least = Number.POSITIVE_INFINITY;
    const timer = setInterval(() => {
      const { bavail, bsize } = statfsSync(disk!);
      least = Math.min(least, bavail * bsize);
    }, 1);
    for (const [port, image] of Object.entries(sticks)) bench.kernel.plug(port, { units: [image] });
    await bench.until("the guest has one", () => bench.said("usb.attach").length === 1);
    await bench.until("the other is refused", () => refusals().length === 1);
    clearInterval(timer);
    expect(refusals()[0]).toMatch(
      /refused at classified, it is not read: \d+ bytes are needed and \d+ are free for it \(\d+ on .* other sticks .* Pull out sticks .*usb\.volume/,
    );
    // 16 MiB, and a quarter of the disk for the spool
    const { blocks, bsize } = statfsSync(disk!);
    expect(least).toBeGreaterThan(16 * MIB + (blocks * bsize) / 4);
    const [given, refused] = refusals()[0]!.includes("Port 1-2") ? ["1-3", "1-2"] : ["1-2", "1-3"];
    expect(steps(refused!)).toEqual(["held", "classified", "refused at classified"]);

    for (const port of [given!, refused!]) bench.kernel.unplug(port);
    await bench.until("both have gone", () => bench.said("usb.removed").length === 2);
    await bench.until("nothing is left", async () => (await bench.volumeFiles()).length === 0);
    bench.kernel.plug(refused!, { units: [sticks[refused as "1-2"]] });
    await bench.until("the guest has the other", () => bench.said("usb.attach").length === 2);
  });
  it("one whose image would fit, and its copy would not, is refused before it is read", async () => {
    const image = fullStick("c.img", 30);
    bench.start();
    bench.kernel.plug("1-2", { units: [image] });
    await bench.until("it is refused", () => refusals().length === 1);
    expect(steps("1-2")).toEqual(["held", "classified", "refused at classified"]);
    expect(await bench.volumeFiles()).toEqual([]);
    // as an image it needs no copy
    bench.policy = { ...bench.policy, present: "image", outside: "allow" };
    bench.kernel.unplug("1-2");
    await bench.until("it has gone", () => bench.said("usb.removed").length === 1);
    bench.kernel.plug("1-2", { units: [image] });
    await bench.until("the guest has it", () => bench.said("usb.attach").length === 1);
  });
});
