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
import { parentOf } from "../dom0/usb.ts";
import type { ClaimPort } from "../dom0/usb-claim.ts";
import type { UsbPlace } from "../dom0/usb-place.ts";
import { claimFile, isClaimed, simClaimPort } from "./usb-claims.ts";
import { type SimDevice, simDescriptors } from "./usb-device.ts";
import { usbTree } from "./usb-tree.ts";

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

export function simUsb(root: string, { controllers = ["usb1"], authorizedDefault = "1" } = {}): SimUsb {
  const tree = usbTree(root);
  const { place, at, put, read, driver, nodeOf, addNode } = tree;
  type Entry = { device: SimDevice; bound: boolean; nodes: string[]; bindings: number; drivers: string[] };
  const plugged = new Map<string, Entry>();
  let addresses = 1;
  let disks = 0;
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
  const claimOf = (port: string) => claimFile(place, nodeOf(parentOf(port)), Number(/\d+$/.exec(port)?.[0]));
  const controllerOf = (port: string) => `usb${port.split("-")[0]}`;
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
    const wins = driverOf(entry, face);
    if (wins === undefined || (asked !== undefined && asked !== wins)) return;
    mkdirSync(driver(wins), { recursive: true });
    symlinkSync(driver(wins), join(face, "driver"));
    entry.drivers.push(wins);
    if (!["uas", "usb-storage"].includes(wins)) return;
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
    for (const name of readdirSync(driver("")))
      for (const { port, number } of orders(join(driver(name), "bind"))) probe(port, number, name);
    for (const { port, number } of orders(tree.probe)) probe(port, number);
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
      put(at(port, "port"), { connect_type: "hotplug" });
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
    join: (name) => controller(name, read(join(tree.parameters, "authorized_default")) === "0" ? "0" : "1"),
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
