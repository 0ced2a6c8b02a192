/** What the guest gets, and what it loses: made and named first, compared with what was judged, handed over, taken back. */
import { unlisted } from "@sallyport/shared/usb/decide.ts";
import { isSamePlugging, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Attach } from "../dom0/attach.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Face } from "../dom0/usb-faces.ts";
import type { UsbVolume } from "../dom0/usb-volume.ts";
import type { Acting } from "./acting.ts";
import type { Delivery, GateAct, GateEvent, GateState, Image } from "./passage-state.ts";
import type { Rebuilt } from "./rebuild.ts";

const DETACH_TRIES = 5;
const UNLISTED_MAX = 64;
/** udev loads a driver when the interface is made; one that is there takes it at once. */
const BIND_MS = 30_000;
const BIND_EVERY_MS = 50;
/** What reads sticks; `ums-…` are usb-storage's own, for single models. */
const STORAGE_DRIVER = /^(?:uas|usb-storage|ums-[a-z0-9-]+)$/;
/** What QEMU holds a guest's device by: the kernel's own door for programs. */
const GUEST_DRIVER = "usbfs";

/** Makes what the guest gets and chooses how it will be called; both are journalled before the guest has them. */
export async function deliver(
  { mode, grounds }: Extract<GateAct, { act: "deliver" }>,
  acting: Acting,
): Promise<GateEvent[]> {
  const { passage, attach, rebuild, taken, oneByOne, setAside } = acting;
  const { state } = passage;
  if (!attach) throw new DoorError("no guest is named in the agent's configuration (usb.guest), so nobody gets it");
  if (mode === "device" || state.step !== "decided") {
    const { bus, address } = state.device;
    await oneByOne(async () => passage.debts.handles.push(await attach.planDevice(taken(), { bus, address })));
    return [{ event: "planned", handles: [...passage.debts.handles] }];
  }
  passage.gift = [];
  for (const [at, image] of state.images.entries()) {
    if (mode === "rebuild") {
      const rebuilt = await rebuild(image, state.scans[at]!.manifest, grounds, {
        // what was set aside for those that follow stays so
        setAside: (bytes) => setAside(Math.max(bytes, passage.setAside)),
        writes(file) {
          passage.writing = file;
        },
        signal: passage.stop.signal,
      });
      passage.writing = undefined;
      passage.debts.files.push(rebuilt.file);
      passage.setAside = Math.max(0, passage.setAside - rebuilt.bytes);
      passage.gift.push(rebuilt);
    }
    await oneByOne(async () => passage.debts.handles.push(await attach.planImage(taken())));
  }
  return [{ event: "planned", handles: [...passage.debts.handles] }];
}

/** It must be what was judged when it is let in, and be it still when it has been, with no interface that was not: a port
 *  may have another device by now. False where it has gone. @throws DoorError where it is another, and then it is held */
export async function letIn({ passage, ports }: Acting, whose: "reader" | "guest" | "dom0"): Promise<boolean> {
  const { device } = passage.state;
  const isSame = async () => {
    const read = await ports.read(device.port);
    if (read === undefined) return false;
    // the hash is over its descriptors and what it calls itself, its serial with it
    if (read.ok && isSamePlugging(read.value, device) && read.value.hash === device.hash) return true;
    const says = read.ok ? `${read.value.id}, serial ${JSON.stringify(read.value.serial)}` : read.error;
    throw new DoorError(`it is not what was judged any more: ${says.slice(0, 300)}`);
  };
  const bind = async () => {
    const until = performance.now() + BIND_MS;
    while ((await ports.bind(device.port, drivers)) === undefined) {
      passage.stop.signal.throwIfAborted();
      if (performance.now() > until)
        throw new DoorError(`none of dom0's drivers ${drivers.join(", ")} took it within ${BIND_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, BIND_EVERY_MS));
    }
    asStick(await ports.faces(device.port));
  };
  if (!(await isSame())) return false;
  const drivers = whose === "reader" ? await ports.drivers(device.port, device.descriptors) : [];
  passage.stop.signal.throwIfAborted();
  // no driver of dom0's asks what is not for dom0
  if (!(await ports.authorise(device.port, true, whose === "dom0" ? undefined : "shut"))) return false;
  try {
    asJudged(device, made((await ports.faces(device.port)).map(({ type }) => type)));
    if (!(await isSame())) return false;
    if (whose === "reader") await bind();
    if (whose === "guest") {
      // not before: the kernel configures nothing at a claimed port
      await ports.claim(device.port);
      await ports.open(device.port);
    }
    return await isSame();
  } catch (error) {
    await ports.authorise(device.port, false);
    throw error;
  }
}

/** @throws DoorError where a driver has it that reads no sticks */
export function asStick(faces: readonly Face[]): void {
  const other = faces.find(({ driver }) => driver !== null && !STORAGE_DRIVER.test(driver));
  if (other)
    throw new DoorError(`dom0's driver ${other.driver} has taken ${other.name}; a stick is usb-storage's alone`);
}

/** A driver of dom0's that has what is the guest's. */
export const foreign = (faces: readonly Face[]): string | undefined =>
  faces.find(({ driver }) => driver !== null && driver !== GUEST_DRIVER)?.driver ?? undefined;

/** Without those that sysfs is still making: they are looked at again before anything is read. */
export const made = (bound: readonly string[]): string[] => bound.filter((type) => !type.includes("?"));

/** @throws DoorError where the kernel has bound an interface that was not judged */
export function asJudged({ interfaces }: UsbDevice, bound: readonly string[]): void {
  if (bound.some((type) => !interfaces.includes(type)))
    throw new DoorError(`it was judged as ${interfaces.join(", ")} and became ${bound.join(", ")}`);
}

export async function handOver(
  { mode, handles }: Extract<GateAct, { act: "attach" }>,
  acting: Acting,
): Promise<GateEvent[]> {
  const { passage, ports, volume, attach, notAnyMore } = acting;
  const { state } = passage;
  if (!attach) throw new DoorError("no guest is named in the agent's configuration");
  /** Taken back is what came from here, and of that what was only tried as well. */
  const onlyTried = (count: number) => {
    passage.debts.handles = handles.slice(0, count);
  };
  if (mode === "device" || state.step !== "decided") {
    const { bus, address } = state.device;
    if (!(await letIn(acting, "guest"))) return [];
    const why = notAnyMore();
    if (why) onlyTried(0);
    if (why) return [why];
    await attach.device(handles[0]!, { bus, address });
    const other = foreign(await ports.faces(state.device.port));
    if (other !== undefined) throw new DoorError(`dom0's driver ${other} took it before the guest did`);
    await lifeOf(acting, attach);
    return [{ event: "attached", delivery: { mode: "device", verified: false } }];
  }
  const gift = passage.gift ?? [];
  let tried = 0;
  try {
    // all of them are looked at before the guest has the first
    const looked: { given: string; seen: string }[] = [];
    for (const [at, image] of state.images.entries())
      looked.push(
        mode === "rebuild"
          ? { given: gift[at]!.file, seen: gift[at]!.seen }
          : { given: image.file, seen: await lookAgain(volume, image) },
      );
    for (const [at, { given, seen }] of looked.entries()) {
      const isSame = async () => {
        if ((await volume.seen(given)) !== seen) throw new DoorError("what was looked at was changed since");
      };
      await isSame();
      if (await attach.has(handles[at]!))
        throw new DoorError(`somebody else has given the guest a ${handles[at]} meanwhile`);
      passage.stop.signal.throwIfAborted();
      const why = notAnyMore();
      if (why) onlyTried(tried);
      if (why) return [why];
      tried = at + 1;
      await attach.image(handles[at]!, volume.path(given));
      // the host opened it by its name: what lies there now is what it opened
      await isSame();
    }
  } catch (error) {
    onlyTried(tried);
    throw error;
  }
  await lifeOf(acting, attach);
  return [{ event: "attached", delivery: mode === "rebuild" ? { mode, verified: true, ...sum(gift) } : whole(state) }];
}

/** @returns what names the file that was hashed once more. @throws DoorError where its bytes are others */
async function lookAgain(volume: UsbVolume, { file, sha256 }: Image): Promise<string> {
  const seen = await volume.seen(file);
  const found = await volume.check(file);
  if (found !== sha256) throw new DoorError(`the sealed image is ${found} now, it was ${sha256}`);
  return seen;
}

/** Which life of the guest got it. One that does not say is asked again (keep.ts). */
async function lifeOf({ passage }: Acting, attach: Attach): Promise<void> {
  const found = await attach.holds(passage.debts.handles).catch(() => undefined);
  if (found?.guest !== undefined) passage.guest = found.guest;
}

/** Of an image, what is in no listed file goes with it; that is said. */
function whole({ listed, scans }: Extract<GateState, { step: "decided" }>): Delivery {
  const beside = scans.flatMap(unlisted).slice(0, UNLISTED_MAX);
  const more = beside.length > 0 ? { unlisted: beside.map((line) => line.slice(0, 1024).toWellFormed()) } : {};
  return { mode: "image", verified: beside.length === 0, files: listed.files, ...more };
}

function sum(gift: readonly Rebuilt[]): Pick<Delivery, "files" | "leftOut" | "renamed"> {
  return {
    files: gift.reduce((total, { files }) => total + files, 0),
    leftOut: {
      count: gift.reduce((total, { leftOut }) => total + leftOut.count, 0),
      first: gift.flatMap(({ leftOut }) => leftOut.first).slice(0, 64),
    },
    renamed: {
      count: gift.reduce((total, { renamed }) => total + renamed.count, 0),
      first: gift.flatMap(({ renamed }) => renamed.first).slice(0, 64),
    },
  };
}

/** A guest may hold on to it for a moment. @throws DoorError where it never lets go */
export async function takeBack(attach: Attach | undefined, handle: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await attach?.detach(handle);
    } catch (error) {
      if (!(error instanceof DoorError) || tries >= DETACH_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * tries));
    }
  }
}
