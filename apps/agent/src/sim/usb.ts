/** A pretend kernel with USB ports: a real folder laid out as sysfs, which answers what is written to `authorized` by
 *  making interfaces and binding drivers to those that are open and at no claimed port (logical units, nodes), or letting go
 *  of them. dom0/usb.ts reads it as it reads /sys. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DoorError } from "../dom0/dom0.ts";
import { parentOf } from "../dom0/usb.ts";
import type { ClaimPort } from "../dom0/usb-claim.ts";
import type { UsbPlace } from "../dom0/usb-place.ts";

/** Alternate settings of one interface: `[["08:06:50"]]` is a stick, `[["08:06:50"], ["03:01:01"]]` one with a keyboard. */
export type SimInterfaces = readonly (readonly string[])[];
export type SimDevice = {
  interfaces?: SimInterfaces;
  vendor?: string;
  product?: string;
  serial?: string;
  name?: string;
  maker?: string;
  /** Each logical unit's bytes: a file or block device; null is one without a medium. */
  units?: readonly (string | null)[];
  /** As the device sends them, where a test bends them. */
  descriptors?: Uint8Array;
  /** Binds these instead of what the descriptors say, as firmware that changes its mind would. */
  binds?: readonly string[];
  /** The driver of dom0's that wins each of its interfaces, where another is there than the one for its kind. */
  driver?: string;
};

export type SimUsb = {
  place: UsbPlace;
  claimPort: ClaimPort;
  /** Whether anybody claims it. */
  claimed(port: string): boolean;
  /** Ends what stands there, as the end of the process that has it would. */
  endClaim(port: string): void;
  plug(port: string, device?: SimDevice): void;
  unplug(port: string): void;
  /** A controller that comes later: it begins as the kernel's own parameter says. */
  join(controller: string): void;
  authorised(port: string): boolean;
  /** Another program changes the controller behind our back. */
  flip(value: string, controller?: string): void;
  defaultOf(controller?: string): string;
  /** How often interfaces were made of what is at the port. */
  bindings(port: string): number;
  /** Each driver of dom0's that had one of them, in order. */
  drivers(port: string): string[];
  /** Asks for a driver for each interface that is open and has none, as QEMU does when it lets go of a device. */
  reattach(port: string): void;
  /** What is at the controller's `interface_authorized_default`. */
  facesOf(controller?: string): string;
  stop(): void;
};

const TICK_MS = 5;
const SECTOR_BYTES = 512;
const DRIVERS = ["hub", "uas", "usb-storage", "usbhid"];
/** As in Debian's 6.12. */
const ALIASES = `# Aliases extracted from modules themselves.
alias usb:v*p*d*dc*dsc*dp*ic03isc*ip*in* usbhid
alias usb:v*p*d*dc09dsc*dp*ic*isc*ip*in* usbcore
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip62in* uas
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* uas
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage
alias usb:v0BDAp0138d*dc*dsc*dp*ic*isc*ip*in* ums_realtek
alias usb:v0421p0019d059[2-9]dc*dsc*dp*ic*isc*ip*in* usb_storage
alias usb:vEB1Ap2750d*dc*dsc*dp*ic*isc*ip*in* em28xx
`;

const BULK_BOTH_WAYS = [7, 5, 0x81, 2, 0, 2, 0, 7, 5, 0x02, 2, 0, 2, 0];

export function simDescriptors({ vendor = "0951", product = "1666", interfaces = [["08:06:50"]] }: SimDevice): Buffer {
  const faces = interfaces.flatMap((alternates, number) =>
    alternates.flatMap((type, alternate) => [
      9,
      4,
      number,
      alternate,
      type.startsWith("08:") ? 2 : 0,
      ...Buffer.from(type.replaceAll(":", ""), "hex"),
      0,
      ...(type.startsWith("08:") ? BULK_BOTH_WAYS : []),
    ]),
  );
  const device = Buffer.from([18, 1, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 1, 1, 2, 3, 1]);
  device.writeUInt16LE(Number.parseInt(vendor, 16), 8);
  device.writeUInt16LE(Number.parseInt(product, 16), 10);
  const configuration = Buffer.from([9, 2, 0, 0, interfaces.length, 1, 0, 0x80, 50]);
  configuration.writeUInt16LE(9 + faces.length, 2);
  return Buffer.concat([device, configuration, Buffer.from(faces)]);
}

/** Where it is known who claims a port of which hub: a process that lives. */
const claimFile = ({ dev }: UsbPlace, hub: string, port: number): string =>
  join(dev, `claims-${hub.slice(`${dev}/bus/usb/`.length).replace("/", "-")}-${port}`);
/** Its number comes again, not at the same tick of the clock. */
const lifeOf = (pid: number | string): string | undefined => {
  try {
    const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1")) ?? [];
    return `${pid} ${fields.split(" ")[19]}`;
  } catch {
    return undefined; // it has ended
  }
};
const isClaimed = (path: string): boolean => {
  if (!existsSync(path)) return false;
  const [pid = "", since] = readFileSync(path, "utf8").split(" ");
  return lifeOf(pid) === `${pid} ${since}`;
};
let claimsMade = 0;

/** The kernel's side of a claim, for any process over this place. */
export function simClaimPort(place: UsbPlace): ClaimPort {
  return async (hub, port) => {
    if (!existsSync(hub)) throw new DoorError(`there is no hub ${hub}`);
    const path = claimFile(place, hub, port);
    if (isClaimed(path)) throw new DoorError(`port ${port} of ${hub} is claimed by another`);
    const own = `${lifeOf(process.pid)} ${++claimsMade}`;
    writeFileSync(path, own);
    const isOver = () => !existsSync(path) || readFileSync(path, "utf8") !== own;
    return {
      isOver,
      async letGo() {
        if (!isOver()) rmSync(path, { force: true });
      },
    };
  };
}

export function simUsb(root: string, { controllers = ["usb1"], authorizedDefault = "1" } = {}): SimUsb {
  const place = { sysfs: join(root, "sys"), dev: join(root, "dev"), modules: join(root, "modules") };
  const at = (...names: string[]) => join(place.sysfs, "bus/usb/devices", ...names);
  const put = (folder: string, files: Record<string, string | Uint8Array>) => {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(folder, name), typeof text === "string" ? `${text}\n` : text);
  };
  type Entry = { device: SimDevice; bound: boolean; nodes: string[]; bindings: number; drivers: string[] };
  const plugged = new Map<string, Entry>();
  let addresses = 1;
  let disks = 0;
  mkdirSync(place.dev, { recursive: true });
  mkdirSync(join(place.sysfs, "class/block"), { recursive: true });
  put(place.modules, { "modules.alias": ALIASES });
  for (const name of DRIVERS) put(join(place.sysfs, "bus/usb/drivers", name), { bind: "" });
  put(join(place.sysfs, "bus/usb"), { drivers_probe: "" });
  const later = join(place.sysfs, "module/usbcore/parameters");
  put(later, { authorized_default: "-1" });
  const controller = (name: string, opens: string): void => {
    const descriptors = simDescriptors({ vendor: "1d6b", product: "0002", interfaces: [["09:00:00"]] });
    const bus = name.slice("usb".length);
    const defaults = { authorized_default: opens, interface_authorized_default: "1" };
    const facts = { busnum: bus, devnum: "1", authorized: "1", ...defaults, speed: "480" };
    put(at(name), {
      idVendor: "1d6b",
      idProduct: "0002",
      product: "xHCI",
      serial: "0000:00:14.0",
      descriptors,
      ...facts,
    });
    addNode(name);
  };
  /** By which the hub's ports are claimed. */
  const nodeOf = (hub: string): string =>
    join(place.dev, "bus/usb", ...["busnum", "devnum"].map((name) => read(at(hub, name)).padStart(3, "0")));
  const claimOf = (port: string) => claimFile(place, nodeOf(parentOf(port)), Number(/\d+$/.exec(port)?.[0]));
  const addNode = (name: string): void => {
    mkdirSync(join(nodeOf(name), ".."), { recursive: true });
    writeFileSync(nodeOf(name), "");
  };
  const controllerOf = (port: string) => `usb${port.split("-")[0]}`;
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim() : "0");
  for (const name of controllers) controller(name, authorizedDefault);

  /** Interfaces are made of it, open or not as its controller says. */
  function configure(port: string): void {
    const entry = plugged.get(port)!;
    // the kernel chooses no configuration for what is at a claimed port
    if (isClaimed(claimOf(port))) return;
    entry.bound = true;
    entry.bindings++;
    const { device } = entry;
    const opens = read(at(controllerOf(port), "interface_authorized_default"));
    const types = device.binds ?? (device.interfaces ?? [["08:06:50"]]).map((alternates) => alternates[0]!);
    for (const [number, type] of types.entries()) {
      const [bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol] = type.split(":") as [string, string, string];
      const face = at(port, `${port}:1.${number}`);
      put(face, { authorized: opens, bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol });
      if (opens !== "0") probe(port, number);
    }
  }
  /** The one that would take it: of its own kind, or the one that the test has win. */
  function driverOf({ device }: Entry, face: string): string | undefined {
    if (device.driver !== undefined) return device.driver;
    const kinds: Record<string, string> = { "03": "usbhid", "09": "hub", "08": "usb-storage" };
    const isUas = device.interfaces?.some((alternates) => alternates.includes("08:06:62"));
    const kind = read(join(face, "bInterfaceClass"));
    return kind === "08" && isUas ? "uas" : kinds[kind];
  }
  function probe(port: string, number: number, asked?: string): void {
    const entry = plugged.get(port);
    const face = at(port, `${port}:1.${number}`);
    if (!entry?.bound || read(join(face, "authorized")) !== "1" || existsSync(join(face, "driver"))) return;
    if (isClaimed(claimOf(port))) return;
    const driver = driverOf(entry, face);
    if (driver === undefined || (asked !== undefined && asked !== driver)) return;
    mkdirSync(join(place.sysfs, "bus/usb/drivers", driver), { recursive: true });
    symlinkSync(join(place.sysfs, "bus/usb/drivers", driver), join(face, "driver"));
    entry.drivers.push(driver);
    if (!["uas", "usb-storage"].includes(driver)) return;
    for (const [lun, backing] of (entry.device.units ?? []).entries()) {
      const block = `sd${String.fromCharCode(97 + (disks++ % 26))}${lun}`;
      const folder = join(face, "host6/target6:0:0", `6:0:0:${lun}`, "block", block);
      const node = join(place.dev, block);
      const facts = backing === null ? undefined : statSync(backing);
      const bytes = backing === null ? 0 : facts!.isBlockDevice() ? blockBytes(backing) : facts!.size;
      const rdev = facts?.rdev ?? 0;
      put(folder, { size: String(Math.floor(bytes / SECTOR_BYTES)), dev: `${rdev >> 8}:${rdev & 0xff}` });
      symlinkSync(folder, join(place.sysfs, "class/block", block));
      if (backing !== null) symlinkSync(backing, node);
      entry.nodes.push(block);
    }
  }
  /** What was written to a file that only takes orders, once. */
  function orders(path: string): { port: string; number: number }[] {
    const [, port, number] = /^([\d.-]+):1\.(\d+)$/.exec(read(path)) ?? [];
    if (port === undefined) return [];
    writeFileSync(path, "");
    return [{ port, number: Number(number) }];
  }
  function release(port: string): void {
    const entry = plugged.get(port);
    if (!entry) return;
    entry.bound = false;
    for (const block of entry.nodes.splice(0)) {
      rmSync(join(place.dev, block), { force: true });
      rmSync(join(place.sysfs, "class/block", block), { force: true });
    }
    for (let number = 0; number < 32; number++)
      rmSync(at(port, `${port}:1.${number}`), { recursive: true, force: true });
  }
  const timer = setInterval(() => {
    for (const [port, entry] of plugged) {
      const authorised = read(at(port, "authorized")) === "1";
      if (authorised && !entry.bound) configure(port);
      else if (!authorised && entry.bound) release(port);
    }
    for (const name of readdirSync(join(place.sysfs, "bus/usb/drivers")))
      for (const { port, number } of orders(join(place.sysfs, "bus/usb/drivers", name, "bind")))
        probe(port, number, name);
    for (const { port, number } of orders(join(place.sysfs, "bus/usb/drivers_probe"))) probe(port, number);
  }, TICK_MS);

  return {
    place,
    claimPort: simClaimPort(place),
    claimed: (port) => isClaimed(claimOf(port)),
    endClaim: (port) => rmSync(claimOf(port), { force: true }),
    plug(port, device = {}) {
      addresses += 1;
      const {
        vendor = "0951",
        product = "1666",
        serial = "60A44C",
        name = "DataTraveler",
        maker = "Kingston",
      } = device;
      put(at(port, "port"), { connect_type: "hotplug" });
      put(at(port), {
        idVendor: vendor,
        idProduct: product,
        serial,
        product: name,
        manufacturer: maker,
        busnum: port.split("-")[0]!,
        devnum: String(addresses),
        speed: "480",
        descriptors: device.descriptors ?? simDescriptors(device),
      });
      addNode(port);
      plugged.set(port, { device, bound: false, nodes: [], bindings: 0, drivers: [] });
      put(at(port), { authorized: read(at(controllerOf(port), "authorized_default")) === "0" ? "0" : "1" });
    },
    unplug(port) {
      release(port);
      plugged.delete(port);
      rmSync(nodeOf(port), { force: true });
      rmSync(at(port), { recursive: true, force: true });
    },
    join: (name) => controller(name, read(join(later, "authorized_default")) === "0" ? "0" : "1"),
    authorised: (port) => read(at(port, "authorized")) === "1",
    flip: (value, controller = controllers[0]!) => writeFileSync(at(controller, "authorized_default"), `${value}\n`),
    defaultOf: (controller = controllers[0]!) => read(at(controller, "authorized_default")),
    bindings: (port) => plugged.get(port)?.bindings ?? 0,
    drivers: (port) => [...(plugged.get(port)?.drivers ?? [])],
    reattach(port) {
      for (let number = 0; number < 32; number++) probe(port, number);
    },
    facesOf: (controller = controllers[0]!) => read(at(controller, "interface_authorized_default")),
    stop: () => clearInterval(timer),
  };
}

/** The kernel's own count of sectors. */
const blockBytes = (node: string): number =>
  Number(read512(`/sys/class/block/${node.slice(node.lastIndexOf("/") + 1)}/size`)) * SECTOR_BYTES;
const read512 = (path: string): string => readFileSync(path, "utf8").trim();
