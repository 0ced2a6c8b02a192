/** Gate ↔ the kernel's USB ports, by sysfs. Devices are read without a driver, and held and let go by `authorized`; what is
 *  below a device is in usb-faces.ts and usb-units.ts. A root of its own makes it testable: sim/usb.ts lays one out. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Result } from "@sallyport/shared/base/result.ts";
import { DESCRIPTORS_BYTES_MAX } from "@sallyport/shared/usb/descriptors.ts";
import { type RawDevice, readDevice, type UsbDevice, usbguardHash } from "@sallyport/shared/usb/device.ts";
import { DoorError } from "./dom0.ts";
import { isGone, known, list, text, write, writeBack } from "./sysfs.ts";
import { type ClaimPort, claimPort, type PortClaim } from "./usb-claim.ts";
import { storageDrivers } from "./usb-drivers.ts";
import { type UsbFaces, usbFaces } from "./usb-faces.ts";
import type { UsbPlace } from "./usb-place.ts";
import { type UnitSeen, unitsOf } from "./usb-units.ts";

/** A root hub. What it says of new devices: `0` holds them, `1` and `2` let them in. */
export type Controller = { name: string; authorizedDefault: string };
/** What is plugged in where, in this plugging. */
export type Plugged = { port: string; bus: number; address: number; authorised: boolean };

export type UsbPorts = Omit<UsbFaces, "authoriseShut"> & {
  controllers(): Promise<Controller[]>;
  /** Whether it is so then is for the next look to see. @throws DoorError where the kernel does not take it */
  holdNew(controller: string): Promise<void>;
  /** Controllers that come later begin closed. @throws DoorError where the kernel does not take it */
  holdLater(): Promise<void>;
  /** Hubs before what is behind them; root hubs are not among them. A claim of a port that has nothing ends. */
  plugged(): Promise<Plugged[]>;
  /** Nothing where it has gone. */
  read(port: string): Promise<Result<UsbDevice> | undefined>;
  /** Written and read back. False where the device has gone. With `shut` no driver may have any of its interfaces until
   *  `open`. A claim of its port ends: once it is held, and before it is let in, since the kernel configures nothing at a
   *  claimed port. @throws DoorError where it is not so afterwards */
  authorise(port: string, yes: boolean, shut?: "shut"): Promise<boolean>;
  /** From now on no driver of dom0's is given what is let in there, whoever asks for one; a program may have it. One that
   *  stands stays. @throws DoorError where the kernel does not give it */
  claim(port: string): Promise<void>;
  /** Every claim ends. */
  close(): Promise<void>;
  /** Those of dom0's drivers that may read it, to be tried in order; `descriptors` is the sum of what was judged.
   *  @throws DoorError where it is another by now, or where a driver that reads no sticks would take it */
  drivers(port: string, descriptors: string): Promise<string[]>;
  units(port: string): Promise<UnitSeen[]>;
};

const DEVICE = /^(?:usb\d+|\d+-\d+(?:\.\d+)*)$/;

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

export function usbPorts(place: UsbPlace, claimAt: ClaimPort = claimPort()): UsbPorts {
  const { sysfs, dev } = place;
  const devices = join(sysfs, "bus/usb/devices");
  const at = (...names: string[]) => join(devices, ...names);
  const names = async () => (await list(devices)).filter((name) => DEVICE.test(name));
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

  /** One after another for each port. */
  const turns = new Map<string, Promise<unknown>>();
  function oneByOne<T>(port: string, work: () => Promise<T>): Promise<T> {
    const done = (turns.get(port) ?? Promise.resolve()).then(work);
    turns.set(
      port,
      done.catch(() => {}),
    );
    return done;
  }
  /** By port; nothing while the kernel is asked. */
  const claims = new Map<string, PortClaim | undefined>();
  /** Whether there was one. */
  async function unclaim(port: string): Promise<boolean> {
    if (!claims.has(port)) return false;
    return oneByOne(port, async () => {
      const stood = claims.get(port);
      claims.delete(port);
      await stood?.letGo();
      return stood !== undefined;
    });
  }
  function claim(port: string): Promise<void> {
    claims.set(port, claims.get(port));
    return oneByOne(port, async () => {
      if (claims.get(port)?.isOver() === false) return;
      const [bus, address] = ["busnum", "devnum"].map((name) => known(at(parentOf(port), name))?.padStart(3, "0"));
      if (bus === undefined || address === undefined) throw new DoorError(`there is no hub that has a port ${port}`);
      claims.set(port, await claimAt(join(dev, "bus/usb", bus, address), Number(/\d+$/.exec(port)?.[0])));
    });
  }

  const { authoriseShut, ...faces } = usbFaces(place);
  return {
    ...faces,
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
    async plugged() {
      const found: Plugged[] = [];
      const there = await names();
      for (const port of [...claims.keys()]) if (!there.includes(port)) await unclaim(port);
      for (const port of there) {
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
    async authorise(port, yes, shut) {
      if (!yes) {
        const isHeld = await writeBack(at(port, "authorized"), "0");
        await unclaim(port);
        return isHeld;
      }
      // what another let in meanwhile has no configuration
      if (await unclaim(port)) await write(at(port, "authorized"), "0");
      return shut ? authoriseShut(port) : writeBack(at(port, "authorized"), "1");
    },
    claim,
    async close() {
      for (const port of [...claims.keys()]) await unclaim(port);
    },
    async drivers(port, descriptors) {
      const bytes = (await raw(port))?.descriptors ?? new Uint8Array();
      if (Buffer.from(sha256(bytes)).toString("hex") !== descriptors)
        throw new DoorError("it is not what was judged any more: its descriptors are others");
      return storageDrivers(place, bytes);
    },
    units: (port) => unitsOf(place, port),
  };
}

/** `1-2.3` hangs on `1-2`, `1-2` on `usb1`. */
export const parentOf = (port: string): string =>
  port.includes(".") ? port.slice(0, port.lastIndexOf(".")) : `usb${port.split("-")[0]}`;
