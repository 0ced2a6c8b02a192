import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { factsOf } from "../tools/boot.ts";
import { CACHE, root } from "../tools/debian.ts";
import { startVm } from "../tools/qemu.ts";
import { uefiFirmware } from "../tools/routes.ts";
import { run } from "../tools/run.ts";
import { writeSelftestImage } from "../tools/selftest.ts";
import { needPackages } from "./setup.ts";

const BOUND_MS = 900_000;

describe.each(["BIOS", "UEFI"])("the self-test stick, by %s", (firmware) => {
  const image = path.join(CACHE, "selftest", `selftest-${firmware}.img`);
  let lines: string[] = [];

  beforeAll(async () => {
    await needPackages();
    await writeSelftestImage(image, true);
    const from = await root();
    const vm = await startVm({
      root: from,
      folder: path.join(CACHE, "boots", `selftest-${firmware}`),
      boundMs: BOUND_MS,
      args: [
        ...["-serial", "file:xen.log", "-smp", "3", "-m", "4096", "-device", "qemu-xhci"],
        ...(firmware === "UEFI" ? uefiFirmware(from) : []),
        ...["-drive", `file=${image},format=raw,if=none,id=stick`, "-device", "usb-storage,drive=stick,bootindex=1"],
        ...["-device", "edu,addr=5,dma_mask=0xffffffffffffffff"],
      ],
    });
    try {
      await vm.waitFor("sign of life from dom0", /^@@ INIT/m, BOUND_MS);
      await vm.waitFor("the outcome", /^@@ DONE/m, BOUND_MS);
      lines = factsOf(vm.serial(), "").all("report");
    } finally {
      await vm.stop();
    }
  });

  it("boots from USB, and all that it tries passes", () => {
    expect(lines.filter((line) => line.startsWith("FAILED"))).toEqual([]);
    expect(lines).toContain("passed DMA arrives");
    expect(lines.at(-1)).toBe("OUTCOME PASSED");
  });

  it.runIf(firmware === "BIOS")("leaves Xen at the mark", () => {
    expect(lines.find((line) => line.startsWith("leaf layout: "))).toMatch(
      /^leaf layout: pool=0x100000-0x40000000 xen=0x40200000-/,
    );
  });

  it("writes the same to the report on its own partition", async () => {
    const table = JSON.parse(await run("sfdisk", ["--json", image])) as {
      partitiontable: { sectorsize: number; partitions: { start: number; name?: string }[] };
    };
    const { sectorsize, partitions } = table.partitiontable;
    const start = partitions.find(({ name }) => name === "Appended4")!.start * sectorsize;
    const to = path.join(CACHE, "selftest", `report-${firmware}.txt`);
    await run("mcopy", ["-n", "-o", "-i", `${image}@@${start}`, "::report.txt", to]);
    const report = await readFile(to, "utf8");
    for (const line of lines) expect(report).toContain(line);
  });
});
