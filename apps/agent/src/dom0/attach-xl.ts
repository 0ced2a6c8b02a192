/** Gate → a Xen guest, by xl: an image as a block device, a stick by its bus and address. */
import type { Attach } from "./attach.ts";
import type { Dom0, Ran } from "./dom0.ts";
import { DoorError } from "./dom0.ts";
import { type Domain, readDomains } from "./xl.ts";

/** The last line only says that it failed; the first error before it says why. */
function reasonOf(stderr: string): string | undefined {
  const lines = stderr.trim().split("\n");
  const said = lines.map((line) => /^libxl: error: \S+ (.+)$/.exec(line)?.[1]).find((text) => text !== undefined);
  return said ?? (lines.at(-1) || undefined);
}

/** `xvdi` to `xvdp`: guests begin at `xvda`, and these have numbers of the old, short form. */
const DISKS = ["i", "j", "k", "l", "m", "n", "o", "p"];
const FIRST_DISK_NUMBER = (202 << 8) + 8 * 16;
const XL_MS = 60_000;

export function xl(dom0: Pick<Dom0, "run">, guest: string): Attach {
  const domain = async (): Promise<Domain | undefined> =>
    readDomains((await ask("list")).stdout).find(({ name, isOver }) => name === guest && !isOver);
  async function ask(...args: string[]): Promise<Ran> {
    const ran = await dom0.run("xl", args, { timeoutMs: XL_MS });
    if (ran.code === 0) return ran;
    const why = ran.timedOut ? `no answer within ${XL_MS / 1000} s` : (reasonOf(ran.stderr) ?? `exit ${ran.code}`);
    throw new DoorError(`xl ${args[0]} for guest ${guest} failed: ${why.slice(0, 300)}`);
  }
  /** First column: the device's number. */
  const disks = async (): Promise<Set<string>> => {
    const numbers = (await ask("block-list", guest)).stdout
      .split("\n")
      .map((line) => Number(/^\s*(\d+)\s/.exec(line)?.[1]));
    return new Set(
      DISKS.flatMap((letter, at) => (numbers.includes(FIRST_DISK_NUMBER + at * 16) ? [`xvd${letter}`] : [])),
    );
  };
  /** `Devid … ` opens a controller, `  Port 1: Bus 001 Device 00c` is what hangs on it, by numbers in base 16, though
   *  `usbdev-attach` takes them in base 10. */
  const usb = async (): Promise<Map<string, { controller: string; port: string }>> => {
    const found = new Map<string, { controller: string; port: string }>();
    let controller = "";
    for (const line of (await ask("usb-list", guest)).stdout.split("\n")) {
      controller = /^(\d+)\s+\S/.exec(line)?.[1] ?? controller;
      const [, port, bus, address] = /^\s+Port (\d+): Bus ([\da-f]+) Device ([\da-f]+)/.exec(line) ?? [];
      if (port !== undefined && bus !== undefined && address !== undefined)
        found.set(`usb:${Number.parseInt(bus, 16)}.${Number.parseInt(address, 16)}`, { controller, port });
    }
    return found;
  };
  return {
    async planImage(taken) {
      const used = await disks();
      const free = DISKS.map((letter) => `xvd${letter}`).find((name) => !used.has(name) && !taken.includes(name));
      if (free === undefined) throw new DoorError(`guest ${guest} has ${DISKS.length} sticks already`);
      return free;
    },
    planDevice: async (_taken, { bus, address }) => `usb:${bus}.${address}`,
    async image(handle, path) {
      await ask("block-attach", guest, `format=raw,vdev=${handle},access=ro,target=${path}`);
    },
    async device(_handle, { bus, address }) {
      // each word of xl's by itself: in one, it takes all of them for the type
      await ask("usbdev-attach", guest, "type=hostdev", `hostbus=${bus}`, `hostaddr=${address}`);
    },
    has: async (handle) => (handle.startsWith("usb:") ? (await usb()).has(handle) : (await disks()).has(handle)),
    async holds(handles) {
      const found = await domain();
      if (!found) return { guest: undefined, isReady: false, has: [] };
      const isDevice = (handle: string) => handle.startsWith("usb:");
      const devices = handles.some(isDevice) ? await usb() : new Map();
      const images = handles.every(isDevice) ? new Set() : await disks();
      const has = handles.filter((handle) => (isDevice(handle) ? devices.has(handle) : images.has(handle)));
      return { guest: String(found.id), isReady: !found.isPaused, has };
    },
    async detach(handle) {
      // with a guest goes all that it had
      if (!(await domain())) return;
      if (handle.startsWith("usb:")) {
        const found = (await usb()).get(handle);
        if (found) await ask("usbdev-detach", guest, found.controller, found.port);
        return;
      }
      if ((await disks()).has(handle)) await ask("block-detach", guest, handle);
    },
  };
}
