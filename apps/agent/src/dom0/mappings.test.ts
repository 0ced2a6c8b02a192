import { expect, it } from "vitest";
import { simDom0 } from "../sim/sim.ts";
import { cryptsetupDisk } from "./disk.ts";

const VOLUME = "0196a5b0-1234-7000-8000-00000000abcd";
const SHORT = VOLUME.replaceAll("-", "");

/** sysfs as device-mapper fills it: a disk, and a mapping for each word pair. */
function kernel(mapped: readonly (readonly [name: string, uuid: string])[]) {
  const dom0 = simDom0();
  dom0.write("/sys/class/block/sda/size", "1\n");
  dom0.write("/sys/class/misc/device-mapper/dev", "10:236\n");
  for (const [at, [name, uuid]] of mapped.entries()) {
    dom0.write(`/sys/class/block/dm-${at}/dm/name`, `${name}\n`);
    dom0.write(`/sys/class/block/dm-${at}/dm/uuid`, `${uuid}\n`);
  }
  return dom0;
}

it("finds whatever has the volume open, under any name, what lies under another last", async () => {
  const dom0 = kernel([
    ["work_dif", `CRYPT-SUBDEV-${SHORT}-work_dif`],
    ["work", `CRYPT-LUKS2-${SHORT}-work`],
    ["luks-again", `CRYPT-LUKS2-${SHORT}-luks-again`],
    ["another", `CRYPT-LUKS2-${"0".repeat(32)}-another`],
    ["longer", `CRYPT-LUKS2-${SHORT}0-longer`],
    ["vg0-guest", "LVM-abcdef"],
    ["bare", ""],
  ]);
  const disk = cryptsetupDisk(dom0);
  expect(await disk.holders(VOLUME)).toEqual(["work", "luks-again", "work_dif"]);
  expect(await disk.holders("0196a5b0-1234-7000-8000-00000000ffff")).toEqual([]);
  expect([await disk.isOpen("bare"), await disk.isOpen("elsewhere")]).toEqual([true, false]);
});

it("says nothing where the kernel has no device-mapper, and throws where nobody can tell", async () => {
  const without = simDom0();
  without.write("/sys/class/block/sda/size", "1\n");
  expect(await cryptsetupDisk(without).holders(VOLUME)).toBeUndefined();
  expect(await cryptsetupDisk(without).isOpen("work")).toBeUndefined();
  const blind = cryptsetupDisk(simDom0());
  await expect(blind.holders(VOLUME)).rejects.toThrow("nobody can tell what is mapped");
  await expect(blind.isOpen("work")).rejects.toThrow("nobody can tell what is mapped");
});
