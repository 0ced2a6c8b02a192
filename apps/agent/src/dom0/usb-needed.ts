/** USB devices that dom0 itself stands on: a disk that is mounted, swapped to or part of a volume, and what carries its
 *  default route. To hold one would cut off the machine. Reads sysfs and /proc, and changes nothing. */
import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { UsbPlace } from "./usb-place.ts";

/** `why` is for people: `sda2 is mounted at /`. */
export type Needed = { port: string; why: string };

const PORT = /^\d+-\d+(?:\.\d+)*$/;
/** A bridge over a bond over a dock's interface, and room for more. */
const LOWER_MAX = 8;

export async function neededUsb({ sysfs }: Pick<UsbPlace, "sysfs">, proc = "/proc"): Promise<Needed[]> {
  return [...(await disks(sysfs, proc)), ...(await uplinks(sysfs, proc))];
}

async function disks(sysfs: string, proc: string): Promise<Needed[]> {
  const uses = new Map<string, string>();
  // man 5 proc_pid_mountinfo: id, parent, device, root, place, …, `-`, type, source; btrfs has a device of its own
  for (const fields of lines(await text(proc, "self/mountinfo"))) {
    const source = fields[fields.indexOf("-") + 2] ?? "";
    const use = `is mounted at ${fields[4]}`;
    uses.set(fields[2] ?? "", use);
    if (source.startsWith("/dev/")) uses.set(basename(source), use);
  }
  for (const [file = ""] of lines(await text(proc, "swaps")))
    if (file.startsWith("/dev/")) uses.set(basename(file), "is swap");
  const found: Needed[] = [];
  for (const name of await list(join(sysfs, "class/block"))) {
    const port = await portOf(join(sysfs, "class/block", name));
    if (port === undefined) continue;
    const [holder] = await list(join(sysfs, "class/block", name, "holders"));
    const number = (await text(sysfs, `class/block/${name}/dev`)).trim();
    const use = uses.get(number) ?? uses.get(name) ?? (holder && `is part of ${holder}`);
    if (use) found.push({ port, why: `${name} ${use}` });
  }
  return found;
}

async function uplinks(sysfs: string, proc: string): Promise<Needed[]> {
  const routed = new Set<string>();
  // the kernel's own form: destination and mask, or destination and the length of its prefix, in hex
  for (const [name = "", destination, , , , , , mask] of lines(await text(proc, "self/net/route")))
    if (destination === "00000000" && mask === "00000000") routed.add(name);
  for (const fields of lines(await text(proc, "self/net/ipv6_route")))
    if (/^0+$/.test(fields[0] ?? "") && fields[1] === "00" && fields[9] !== "lo") routed.add(fields[9] ?? "");
  const found: Needed[] = [];
  for (const name of routed)
    for (const lower of await lowest(sysfs, name)) {
      const port = await portOf(join(sysfs, "class/net", lower));
      if (port) found.push({ port, why: `${lower} carries the default route` });
    }
  return found;
}

/** What a bridge, a bond or a VLAN is made of, and itself. */
async function lowest(sysfs: string, name: string, depth = LOWER_MAX): Promise<string[]> {
  if (name === "" || depth === 0) return [];
  const found = [name];
  for (const entry of await list(join(sysfs, "class/net", name)))
    if (entry.startsWith("lower_")) found.push(...(await lowest(sysfs, entry.slice("lower_".length), depth - 1)));
  return found;
}

/** The last on its way is the device itself, those before it are hubs. */
async function portOf(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => "");
  return real.split("/").findLast((name) => PORT.test(name));
}

const lines = (read: string): string[][] => read.split("\n").map((line) => line.trim().split(/\s+/));
const text = (folder: string, name: string): Promise<string> => readFile(join(folder, name), "utf8").catch(() => "");
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
