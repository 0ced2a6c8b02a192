/** The USB ports → a device's interfaces: shut when the device is let in, opened, and given to a driver, so that none of
 *  dom0's takes what was not judged to be its. */
import { readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DoorError } from "./dom0.ts";
import { known, list, write, writeBack } from "./sysfs.ts";
import type { UsbPlace } from "./usb-place.ts";

/** An interface that the kernel made of a device: its kind, `08:06:50`, with `??` for what is not written yet; whether a
 *  driver may have it, and which has it. */
export type Face = { name: string; type: string; authorised: boolean; driver: string | null };

export type UsbFaces = {
  /** Only of an authorised device. */
  faces(port: string): Promise<Face[]>;
  /** The device is let in, and no driver may have any of its interfaces until `open`. False where it has gone.
   *  @throws DoorError where it is not so afterwards; it is held then */
  authoriseShut(port: string): Promise<boolean>;
  /** A driver may have its interfaces; none is asked to, unless `probe`. */
  open(port: string, probe?: "probe"): Promise<void>;
  /** Asks these drivers, one after another, to take its one interface; the one that has it then. Nothing while none does. */
  bind(port: string, drivers: readonly string[]): Promise<string | undefined>;
  /** The controller's interfaces are made open again, where a moment that shut them was cut short. */
  openLater(controller: string): Promise<void>;
};

/** The kernel has made a device's interfaces when it is authorised; one that it cannot configure has none. */
const FACES_MS = 5_000;
const LOOK_MS = 5;

export function usbFaces({ sysfs }: Pick<UsbPlace, "sysfs">): UsbFaces {
  const at = (...names: string[]) => join(sysfs, "bus/usb/devices", ...names);
  const defaultOf = (controller: string) => at(controller, "interface_authorized_default");

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
  async function authoriseShut(port: string, fallback: string): Promise<boolean> {
    if (known(fallback) === undefined)
      throw new DoorError(`the kernel has no ${fallback}, so nothing keeps dom0's drivers from what is at ${port}`);
    const until = performance.now() + FACES_MS;
    try {
      if (!(await writeBack(fallback, "0"))) return false;
      // those of an earlier moment are no sign of how the next ones are made
      while ((await faces(port)).length > 0) {
        if (performance.now() > until) throw new DoorError("it is held, and the kernel leaves it its interfaces");
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
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
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    } catch (error) {
      await write(at(port, "authorized"), "0").catch(() => false);
      throw error;
    } finally {
      await write(fallback, "1");
    }
  }

  return {
    faces,
    authoriseShut(port) {
      const controller = `usb${port.split("-")[0]}`;
      return oneByOne(controller, () => authoriseShut(port, defaultOf(controller)));
    },
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
    async openLater(controller) {
      const fallback = defaultOf(controller);
      if (known(fallback)?.trim() === "0") await oneByOne(controller, () => write(fallback, "1"));
    },
  };
}
