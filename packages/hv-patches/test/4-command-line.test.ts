import { mkdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PRIMARY_UUID, xenSays } from "../tools/boot.ts";
import { xenOf } from "../tools/boots/plan.ts";
import { CACHE, root } from "../tools/debian.ts";
import { kernelOf } from "../tools/initramfs.ts";
import { needPackages } from "./setup.ts";

const UUID = `lowmem_uuid=${PRIMARY_UUID}`;
/** Xen alone, up to one line of its log. */
const BOUND_MS = 300_000;
const MIB = 1024 * 1024;

/** What is written, what Xen answers. Each stops as soon as the answer is on the serial line. */
const ROWS: [what: string, options: string, answer: RegExp, memoryMiB?: number][] = [
  ["what is not a size", `lowmem_domu=much ${UUID}`, /off: (lowmem_domu=much is not a size; write lowmem_domu=1G)/],
  [
    "not a power of two",
    `lowmem_domu=1536M ${UUID}`,
    /off: (lowmem_domu=1536M is not a power of two; write lowmem_domu=1G$)/m,
  ],
  ["not aligned", `lowmem_domu=1048577K ${UUID}`, /off: (.* is not aligned to 2M; write lowmem_domu=1G)/],
  ["too small", `lowmem_domu=32M ${UUID}`, /off: (.* is too small for a guest; write at least lowmem_domu=64M)/],
  ["past 4G", `lowmem_domu=8G ${UUID}`, /off: (.* reaches past the 4G .*; write lowmem_domu=1G)/],
  ["more than there is", `lowmem_domu=2G ${UUID}`, /off: (.* is more than the RAM below 4G, .*; write lowmem_domu=1G)/],
  [
    // this board's firmware has its tables in the last 128 KiB of RAM
    "a place that the firmware keeps",
    `lowmem_domu=1G ${UUID}`,
    /off: (the firmware or crashkernel= keeps memory at 0x40000000, where Xen would go for lowmem_domu=1G; write lowmem_domu=512M)/,
    1025,
  ],
  [
    "a place that a crash kernel has",
    `lowmem_domu=1G ${UUID} crashkernel=128M@1G`,
    /off: (the firmware or crashkernel= keeps memory at 0x40000000, .*; write lowmem_domu=512M)/,
  ],
  [
    "what is not a list of devices",
    `lowmem_domu=1G ${UUID} lowmem_devices=00:05.0,video`,
    /lowmem: (lowmem_devices= is not a list of at most 8 devices, so none can be assigned; write lowmem_devices=00:02\.0)/,
  ],
  [
    "isolation required",
    `lowmem_domu=1G ${UUID} iommu=required`,
    /lowmem: (iommu=required asks for an IOMMU, and this machine uses none; leave .* out)/,
  ],
  ["no guest named", "lowmem_domu=1G", /off: (no guest is named; write lowmem_uuid=.*)/],
  [
    "a device that is not there",
    `lowmem_domu=1G ${UUID} lowmem_devices=00:1e.0`,
    /lowmem: (there is no device 0000:00:1e\.0; the displays here would be lowmem_devices=0000:00:01\.0)/,
  ],
];

const says = async (name: string, options: string, answer: RegExp, memoryMiB = 4096, more: readonly string[] = []) =>
  xenSays(
    {
      name: `says-${name.replaceAll(/\W+/g, "-")}`,
      xen: await xenOf("release"),
      options,
      qemu: ["-device", "bochs-display,addr=1", ...more],
      memoryMiB,
      boundMs: BOUND_MS,
    },
    answer,
  );

describe("a wrong command line is answered with what to write instead", () => {
  beforeAll(async () => {
    await needPackages();
    await xenOf("release");
  });

  it.each(ROWS)("%s", async (name, options, answer, memoryMiB) => {
    expect(await says(name, options, answer, memoryMiB)).not.toBe("");
  });

  it("a place where a module lies", async () => {
    // The loader puts modules one after the other above Xen: the second one lies across 64 and 128 MiB.
    const large = path.join(CACHE, "boots", "large-module");
    await mkdir(path.dirname(large), { recursive: true });
    await writeFile(large, "");
    await truncate(large, 160 * MIB);
    const modules = ["-initrd", `${(await kernelOf(await root())).image},${large}`];
    const answer =
      /off: (module 1 of the boot loader lies at 0x[0-9a-f]+, where Xen would go for lowmem_domu=128M; leave the option out)/;
    expect(await says("a module", `lowmem_domu=128M ${UUID}`, answer, 4096, modules)).not.toBe("");
  });
});
