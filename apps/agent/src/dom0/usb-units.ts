/** The USB ports → a stick's logical units: the block devices that the kernel made of its interface, and whether a node is
 *  one of them. */
import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { list, text } from "./sysfs.ts";
import type { UsbPlace } from "./usb-place.ts";

/** One logical unit. `node` is null where it is no disk or disc; `bytes` is 0 where no medium is in it. */
export type UnitSeen = { lun: number; node: string | null; bytes: number };

const SECTOR_BYTES = 512;

export async function unitsOf({ sysfs, dev }: UsbPlace, port: string): Promise<UnitSeen[]> {
  const found: UnitSeen[] = [];
  const device = join(sysfs, "bus/usb/devices", port);
  for (const name of await list(device)) {
    if (!name.startsWith(`${port}:`)) continue;
    for (const folder of await logicalUnits(join(device, name))) {
      const lun = Number(basename(folder).split(":")[3]);
      const [block] = await list(join(folder, "block"));
      if (block === undefined) {
        found.push({ lun, node: null, bytes: 0 });
        continue;
      }
      const size = Number((await text(join(folder, "block", block, "size"))) ?? 0);
      found.push({ lun, node: join(dev, block), bytes: size * SECTOR_BYTES });
    }
  }
  return found.sort((a, b) => a.lun - b.lun);
}

/** `…/host6/target6:0:0/6:0:0:1` */
async function logicalUnits(face: string): Promise<string[]> {
  const found: string[] = [];
  for (const host of (await list(face)).filter((name) => /^host\d+$/.test(name)))
    for (const target of (await list(join(face, host))).filter((name) => /^target[\d:]+$/.test(name)))
      for (const unit of (await list(join(face, host, target))).filter((name) => /^\d+:\d+:\d+:\d+$/.test(name)))
        found.push(join(face, host, target, unit));
  return found;
}

/** The kernel's number of the node must be the one sysfs names for it: a node of that name may be older than the stick.
 *  In a pretend tree it is a plain file. */
export async function isNodeOf({ sysfs }: Pick<UsbPlace, "sysfs">, port: string, node: string): Promise<Result<null>> {
  const facts = await stat(node).catch(() => undefined);
  if (!facts) return fail(`${node} is gone`);
  if (facts.isFile()) return ok(null);
  if (!facts.isBlockDevice()) return fail(`${node} is no block device`);
  const owner = await realpath(join(sysfs, "class/block", basename(node))).catch(() => "");
  const device = await realpath(join(sysfs, "bus/usb/devices", port)).catch(() => "");
  const numbers = (await readFile(join(sysfs, "class/block", basename(node), "dev"), "utf8").catch(() => "")).trim();
  const own = numbersOf(facts.rdev);
  if (device === "" || !`${dirname(owner)}/`.startsWith(`${device}/`))
    return fail(`${node} does not belong to ${port}`);
  return numbers === own ? ok(null) : fail(`${node} is ${own}, the kernel says ${numbers}`);
}

/** As Linux packs them into one number. */
const numbersOf = (rdev: number): string => `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
