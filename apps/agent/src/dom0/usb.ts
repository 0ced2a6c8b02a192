/** Gate ↔ the kernel's USB ports, by sysfs. Devices are read without a driver, held and let go by `authorized`; a
 *  stick's logical units are found below its interface. A root of its own makes it testable: sim/usb.ts lays one out. */
import { createHash } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import { readdir, readFile, readlink, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { DESCRIPTORS_BYTES_MAX } from "@sallyport/shared/usb/descriptors.ts";
import { type RawDevice, readDevice, type UsbDevice, usbguardHash } from "@sallyport/shared/usb/device.ts";
import { DoorError } from "./dom0.ts";
import { storageDrivers } from "./usb-drivers.ts";

/** `modules`: what the kernel's modules say of themselves; the running kernel's in /lib/modules otherwise. */
export type UsbPlace = { sysfs: string; dev: string; modules?: string | undefined };

/** A root hub. What it says of new devices: `0` holds them, `1` and `2` let them in. */
export type Controller = { name: string; authorizedDefault: string };
/** What is plugged in where, in this plugging. */
export type Plugged = { port: string; bus: number; address: number; authorised: boolean };
/** One logical unit. `node` is null where it is no disk or disc; `bytes` is 0 where no medium is in it. */
export type UnitSeen = { lun: number; node: string | null; bytes: number };

/** An interface that the kernel made of a device: whether a driver may have it, and which has it. */
export type Face = { name: string; type: string; authorised: boolean; driver: string | null };

export type UsbPorts = {
  controllers(): Promise<Controller[]>;
  /** Whether it is so then is for the next look to see. @throws DoorError where the kernel does not take it */
  holdNew(controller: string): Promise<void>;
  /** Controllers that come later begin closed. @throws DoorError where the kernel does not take it */
  holdLater(): Promise<void>;
  /** Interfaces are made open again, where a moment that shut them was cut short. */
  openLater(controller: string): Promise<void>;
  /** Hubs before what is behind them; root hubs are not among them. */
  plugged(): Promise<Plugged[]>;
  /** Nothing where it has gone. */
  read(port: string): Promise<Result<UsbDevice> | undefined>;
  /** Written and read back. False where the device has gone. With `shut` no driver may have any of its interfaces until
   *  `open`. @throws DoorError where it is not so afterwards */
  authorise(port: string, yes: boolean, shut?: "shut"): Promise<boolean>;
  /** A driver may have its interfaces; none is asked to, unless `probe`. */
  open(port: string, probe?: "probe"): Promise<void>;
  /** Asks these drivers, one after another, to take its one interface; the one that has it then. Nothing while none does. */
  bind(port: string, drivers: readonly string[]): Promise<string | undefined>;
  faces(port: string): Promise<Face[]>;
  /** Those of dom0's drivers that may read it, to be tried in order; `descriptors` is the sum of what was judged.
   *  @throws DoorError where it is another by now, or where a driver that reads no sticks would take it */
  drivers(port: string, descriptors: string): Promise<string[]>;
  /** The interfaces the kernel made of it, `08:06:50` each; only of an authorised device. */
  interfaces(port: string): Promise<string[]>;
  units(port: string): Promise<UnitSeen[]>;
};

const SECTOR_BYTES = 512;
/** The kernel has made a device's interfaces when it is authorised; one that it cannot configure has none. */
const FACES_MS = 5_000;
const TEXT_BYTES_MAX = 4_096;
const DEVICE = /^(?:usb\d+|\d+-\d+(?:\.\d+)*)$/;

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const isGone = (error: unknown): boolean =>
  ["ENOENT", "ENODEV", "ENOTDIR", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? "");

export function usbPorts(place: UsbPlace): UsbPorts {
  const { sysfs, dev } = place;
  const devices = join(sysfs, "bus/usb/devices");
  const at = (...names: string[]) => join(devices, ...names);

  async function text(path: string): Promise<string | undefined> {
    try {
      // a device's strings are its own: cut, and made Unicode
      return (await readFile(path)).subarray(0, TEXT_BYTES_MAX).toString("utf8").replace(/\n$/, "").toWellFormed();
    } catch (error) {
      if (isGone(error)) return undefined;
      throw new DoorError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }
  async function list(folder: string): Promise<string[]> {
    try {
      return (await readdir(folder)).sort();
    } catch (error) {
      if (isGone(error)) return [];
      throw new DoorError(`cannot list ${folder}: ${(error as Error).message}`, { cause: error });
    }
  }
  const names = async () => (await list(devices)).filter((name) => DEVICE.test(name));
  /** What the kernel knows without a lock or a word from the device. It is asked for at each look, and read in place: to
   *  hand each of these files to another thread costs more than reading it. */
  function known(path: string): string | undefined {
    try {
      return readFileSync(path, "latin1").replace(/\n$/, "");
    } catch (error) {
      if (isGone(error)) return undefined;
      throw new DoorError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }
  const number = (path: string) => Number(known(path) ?? Number.NaN);

  async function raw(port: string): Promise<RawDevice | undefined> {
    try {
      const descriptors = (await readFile(at(port, "descriptors"))).subarray(0, DESCRIPTORS_BYTES_MAX + 1);
      const [vendor, product] = [await text(at(port, "idVendor")), await text(at(port, "idProduct"))];
      const [bus, address] = [number(at(port, "busnum")), number(at(port, "devnum"))];
      if (vendor === undefined || product === undefined || Number.isNaN(bus) || Number.isNaN(address)) return undefined;
      const claim = async (name: string) => ((await text(at(port, name))) ?? "").slice(0, 512).toWellFormed();
      return {
        port,
        bus,
        address,
        vendor,
        product,
        serial: await claim("serial"),
        name: await claim("product"),
        maker: await claim("manufacturer"),
        speed: ((await text(at(port, "speed"))) ?? "").slice(0, 16),
        connectType: ((await text(at(port, "port/connect_type"))) ?? "").slice(0, 32),
        descriptors,
      };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw new DoorError(`cannot read the device at ${port}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** What is there already, and not to be read: sysfs opens `bind` for nothing but writing, also for root. */
  async function write(path: string, value: string): Promise<boolean> {
    try {
      await writeFile(path, `${value}\n`, { flag: constants.O_WRONLY });
    } catch (error) {
      if (isGone(error)) return false;
      throw new DoorError(`cannot write ${value} to ${path}: ${(error as Error).message}`, { cause: error });
    }
    return true;
  }
  /** One after another for each controller: its default for interfaces is turned for the moment. */
  const turns = new Map<string, Promise<unknown>>();
  function oneByOne<T>(controller: string, work: () => Promise<T>): Promise<T> {
    const done = (turns.get(controller) ?? Promise.resolve()).then(work);
    turns.set(
      controller,
      done.catch(() => {}),
    );
    return done;
  }

  async function faces(port: string): Promise<Face[]> {
    const found: Face[] = [];
    for (const name of await list(at(port))) {
      if (!name.startsWith(`${port}:`)) continue;
      const part = (what: string) => known(at(port, name, what)) ?? "??";
      const type = [part("bInterfaceClass"), part("bInterfaceSubClass"), part("bInterfaceProtocol")];
      const driver = await readlink(at(port, name, "driver")).catch(() => undefined);
      found.push({
        name,
        type: type.join(":").toLowerCase(),
        authorised: part("authorized") !== "0",
        driver: driver === undefined ? null : basename(driver),
      });
    }
    return found;
  }

  /** Its interfaces are made while the controller's default shuts them, and stay shut (drivers/usb/core/message.c). */
  async function authoriseShut(port: string): Promise<boolean> {
    const fallback = at(`usb${port.split("-")[0]}`, "interface_authorized_default");
    if (known(fallback) === undefined)
      throw new DoorError(`the kernel has no ${fallback}, so nothing keeps dom0's drivers from what is at ${port}`);
    const until = performance.now() + FACES_MS;
    try {
      if (!(await writeBack(fallback, "0"))) return false;
      // those of an earlier moment are no sign of how the next ones are made
      while ((await faces(port)).length > 0) {
        if (performance.now() > until) throw new DoorError("it is held, and the kernel leaves it its interfaces");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (!(await writeBack(at(port, "authorized"), "1"))) return false;
      for (;;) {
        const found = await faces(port);
        if (found.length > 0 && !found.some(({ type }) => type.includes("?"))) {
          const had = found.find(({ authorised, driver }) => authorised || driver !== null);
          if (!had) return true;
          throw new DoorError(`${had.name} is open to dom0's drivers${had.driver ? `, and ${had.driver} has it` : ""}`);
        }
        if (performance.now() > until) throw new DoorError("the kernel made no interface of it");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } catch (error) {
      await write(at(port, "authorized"), "0").catch(() => false);
      throw error;
    } finally {
      await write(fallback, "1");
    }
  }

  async function writeBack(path: string, value: "0" | "1"): Promise<boolean> {
    if (!(await write(path, value))) return false;
    const found = known(path)?.trim();
    if (found === undefined) return false;
    if (found !== value) throw new DoorError(`${path} was set to ${value} and reads ${found}`);
    return true;
  }

  return {
    async controllers() {
      const found: Controller[] = [];
      for (const name of await names()) {
        if (!name.startsWith("usb")) continue;
        const authorizedDefault = known(at(name, "authorized_default"));
        if (authorizedDefault !== undefined) found.push({ name, authorizedDefault });
      }
      return found;
    },
    async holdNew(controller) {
      await write(at(controller, "authorized_default"), "0");
    },
    async holdLater() {
      const later = join(sysfs, "module/usbcore/parameters/authorized_default");
      const found = known(later)?.trim();
      if (found !== undefined && found !== "0") await writeBack(later, "0");
    },
    async openLater(controller) {
      const fallback = at(controller, "interface_authorized_default");
      if (known(fallback)?.trim() === "0") await oneByOne(controller, () => write(fallback, "1"));
    },
    async plugged() {
      const found: Plugged[] = [];
      for (const port of await names()) {
        if (port.startsWith("usb")) continue;
        const [bus, address] = [number(at(port, "busnum")), number(at(port, "devnum"))];
        const authorised = known(at(port, "authorized"));
        if (authorised === undefined || Number.isNaN(bus) || Number.isNaN(address)) continue;
        found.push({ port, bus, address, authorised: authorised !== "0" });
      }
      return found.sort((a, b) => a.port.length - b.port.length || (a.port < b.port ? -1 : 1));
    },
    async read(port) {
      const found = await raw(port);
      if (!found) return undefined;
      const parent = await raw(parentOf(port));
      return readDevice(sha256, found, parent ? usbguardHash(sha256, parent) : "");
    },
    authorise: (port, yes, shut) =>
      yes && shut
        ? oneByOne(`usb${port.split("-")[0]}`, () => authoriseShut(port))
        : writeBack(at(port, "authorized"), yes ? "1" : "0"),
    async open(port, probe) {
      for (const { name, authorised, driver } of await faces(port)) {
        if (!authorised) await writeBack(at(port, name, "authorized"), "1");
        if (probe && driver === null) await write(join(sysfs, "bus/usb/drivers_probe"), name).catch(() => false);
      }
    },
    async bind(port, drivers) {
      const [face, ...more] = await faces(port);
      if (!face || more.length > 0 || face.driver !== null) return face?.driver ?? undefined;
      for (const driver of drivers) {
        const door = join(sysfs, "bus/usb/drivers", driver, "bind");
        // udev loads them when the interface is made
        if (!(await stat(door).catch(() => undefined))) continue;
        if (!(await writeBack(at(port, face.name, "authorized"), "1"))) return undefined;
        await write(door, face.name);
        const [now] = await faces(port);
        if (now?.driver) return now.driver;
      }
      return undefined;
    },
    faces,
    async drivers(port, descriptors) {
      const bytes = (await raw(port))?.descriptors ?? new Uint8Array();
      if (Buffer.from(sha256(bytes)).toString("hex") !== descriptors)
        throw new DoorError("it is not what was judged any more: its descriptors are others");
      return storageDrivers(place, bytes);
    },
    async interfaces(port) {
      const found: string[] = [];
      for (const name of await list(at(port))) {
        if (!name.startsWith(`${port}:`)) continue;
        const part = async (what: string) => (await text(at(port, name, what))) ?? "??";
        const type = [
          await part("bInterfaceClass"),
          await part("bInterfaceSubClass"),
          await part("bInterfaceProtocol"),
        ];
        found.push(type.join(":").toLowerCase());
      }
      return found;
    },
    async units(port) {
      const found: UnitSeen[] = [];
      for (const name of await list(at(port))) {
        if (!name.startsWith(`${port}:`)) continue;
        for (const folder of await logicalUnits(at(port, name), list)) {
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
    },
  };
}

/** `…/host6/target6:0:0/6:0:0:1` */
async function logicalUnits(face: string, list: (folder: string) => Promise<string[]>): Promise<string[]> {
  const found: string[] = [];
  for (const host of (await list(face)).filter((name) => /^host\d+$/.test(name)))
    for (const target of (await list(join(face, host))).filter((name) => /^target[\d:]+$/.test(name)))
      for (const unit of (await list(join(face, host, target))).filter((name) => /^\d+:\d+:\d+:\d+$/.test(name)))
        found.push(join(face, host, target, unit));
  return found;
}

/** `1-2.3` hangs on `1-2`, `1-2` on `usb1`. */
export const parentOf = (port: string): string =>
  port.includes(".") ? port.slice(0, port.lastIndexOf(".")) : `usb${port.split("-")[0]}`;

/** The kernel's number of the node must be the one sysfs names for it: a node of that name may be older than the stick.
 *  In a pretend tree it is a plain file. */
export async function isNodeOf(ports: UsbPlace, port: string, node: string): Promise<Result<null>> {
  const facts = await stat(node).catch(() => undefined);
  if (!facts) return fail(`${node} is gone`);
  if (facts.isFile()) return ok(null);
  if (!facts.isBlockDevice()) return fail(`${node} is no block device`);
  const owner = await realpath(join(ports.sysfs, "class/block", basename(node))).catch(() => "");
  const device = await realpath(join(ports.sysfs, "bus/usb/devices", port)).catch(() => "");
  const numbers = (
    await readFile(join(ports.sysfs, "class/block", basename(node), "dev"), "utf8").catch(() => "")
  ).trim();
  const own = numbersOf(facts.rdev);
  if (device === "" || !`${dirname(owner)}/`.startsWith(`${device}/`))
    return fail(`${node} does not belong to ${port}`);
  return numbers === own ? ok(null) : fail(`${node} is ${own}, the kernel says ${numbers}`);
}

/** As Linux packs them into one number. */
const numbersOf = (rdev: number): string => `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
