/** A device's descriptors → which of the kernel's modules would take it, by what they say of themselves: depmod's
 *  `modules.alias` for those that are loaded when needed, `modules.builtin.modinfo` for those that are always there. */
import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { readDescriptors } from "@sallyport/shared/usb/descriptors.ts";
import { DoorError } from "./dom0.ts";
import type { UsbPlace } from "./usb-place.ts";

/** Those that only read and write blocks; `ums_…` are usb-storage's own, for single models. */
const STORAGE = /^(?:uas|usb_storage|ums_[a-z0-9_]+)$/;

/** The drivers to try, in order, for a stick with these descriptors.
 *  @throws DoorError where another driver would take it, or none that reads sticks could */
export async function storageDrivers(place: UsbPlace, descriptors: Uint8Array): Promise<string[]> {
  const read = readDescriptors(descriptors);
  if (!read.ok) throw new DoorError(read.error);
  // usb-storage refuses such a one, and the kernel asks the next driver
  const lame = read.value.interfaces.find(({ bulk }) => !(bulk.in && bulk.out));
  if (lame)
    throw new DoorError(
      `its interface ${lame.type} has no bulk endpoint ${lame.bulk.in ? "out" : "in"}, so it is no stick`,
    );
  const found = await modulesFor(place, modaliases(descriptors));
  const other = found.filter((name) => !STORAGE.test(name));
  if (other.length > 0)
    throw new DoorError(
      `dom0's driver ${other.slice(0, 8).join(", ")} would take it by its number ${read.value.id}; a stick is read by usb-storage alone`,
    );
  if (found.length === 0) throw new DoorError("dom0's kernel has no driver for it: usb-storage is not installed");
  // a single model's own driver first; usb-storage leaves to uas what is its
  const rank = (name: string) => (name.startsWith("ums_") ? 0 : name === "uas" ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b)).map((name) => name.replaceAll("_", "-"));
}

/** As the kernel makes them (drivers/usb/core/sysfs.c, modalias), one for each alternate setting. */
export function modaliases(descriptors: Uint8Array): string[] {
  const read = readDescriptors(descriptors);
  if (!read.ok) return [];
  const upper = (from: number, bytes: number) =>
    Array.from(descriptors.subarray(from, from + bytes))
      .reverse()
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("")
      .toUpperCase();
  const device = `usb:v${upper(8, 2)}p${upper(10, 2)}d${upper(12, 2)}dc${upper(4, 1)}dsc${upper(5, 1)}dp${upper(6, 1)}`;
  return read.value.interfaces.map(({ type, number }) => {
    const [ic, isc, ip] = type.toUpperCase().split(":");
    return `${device}ic${ic}isc${isc}ip${ip}in${number.toString(16).padStart(2, "0").toUpperCase()}`;
  });
}

/** @throws DoorError where neither list is there: nobody can say then who would take it */
async function modulesFor(place: UsbPlace, wanted: readonly string[]): Promise<string[]> {
  const folder = place.modules ?? join("/lib/modules", release());
  const read = (name: string) =>
    readFile(join(folder, name), "latin1").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new DoorError(`cannot read ${join(folder, name)}: ${error.message}`, { cause: error });
    });
  const [loaded, builtin] = [await read("modules.alias"), await read("modules.builtin.modinfo")];
  if (loaded === undefined && builtin === undefined)
    throw new DoorError(`${folder} has no modules.alias, so nobody can say which driver of dom0's would take it`);
  const pairs = [
    ...(loaded ?? "").matchAll(/^alias (usb:\S+) (\S+)$/gm),
    ...[...(builtin ?? "").matchAll(/(?:^|\0)(\w+)\.alias=(usb:[^\0]+)/g)].map(([all, name, alias]) => [
      all,
      alias,
      name,
    ]),
  ];
  // each pattern begins with one maker, or with any
  const own = new Set(wanted.map((each) => each.slice(0, "usb:v0000".length)));
  const found = new Set<string>();
  for (const [, pattern = "", name = ""] of pairs) {
    if (!(pattern.startsWith("usb:v*") || own.has(pattern.slice(0, "usb:v0000".length)))) continue;
    const fits = fitting(pattern);
    if (wanted.some((each) => fits.test(each))) found.add(name.replaceAll("-", "_"));
  }
  return [...found];
}

/** kmod matches by fnmatch(3). */
const fitting = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")
      .replaceAll("[!", "[^")}$`,
  );
