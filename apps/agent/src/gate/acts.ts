/** What a step asks for → done through dom0, and the events that come of it. What the host refuses is a `failed` event,
 *  never an end of the gate. */
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { unlisted } from "@sallyport/shared/usb/decide.ts";
import { isPinned, isSamePlugging, ruleFacts, stickId, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import { type Exception, type Grounds, stickManifest } from "@sallyport/shared/usb/exception.ts";
import type { Manifest } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Attach } from "../dom0/attach.ts";
import { DoorError } from "../dom0/dom0.ts";
import { isNodeOf, type UnitSeen, type UsbPlace, type UsbPorts } from "../dom0/usb.ts";
import type { UsbVolume } from "../dom0/usb-volume.ts";
import { SpoolClosed } from "../spool/intake.ts";
import type { Passage } from "./live.ts";
import type { Delivery, GateAct, GateEvent, GateState, Image, Rules } from "./passage.ts";
import * as words from "./passage-words.ts";
import type { Rebuilt } from "./rebuild.ts";

export type ScanImage = (
  path: string,
  about: { source: string; sha256: string; onProgress: (files: number) => void; signal: AbortSignal },
) => Promise<ScanBody>;
export type RebuildImage = (
  image: Image,
  manifest: Manifest,
  grounds: Grounds,
  signal: AbortSignal,
) => Promise<Rebuilt>;

export type ActParts = {
  ports: UsbPorts;
  place: UsbPlace;
  volume: UsbVolume;
  /** Nothing: no guest is named, so nothing can be handed on. */
  attach: Attach | undefined;
  scan: ScanImage;
  rebuild: RebuildImage;
  rules: Rules;
  now: () => number;
  /** No other logical unit has come within this time: then these are all. */
  settleMs: number;
  /** Records, and words for the workstation's page. */
  tell: (records: readonly Observation[], now: string) => Promise<void>;
};
export type Acting = ActParts & {
  passage: Passage;
  allowed: () => UsbDevice[];
  taken: () => string[];
  exceptions: readonly Exception[];
  floor: number;
};

/** Until a driver shows the first unit. */
const UNITS_MS = 30_000;
const LOOK_MS = 50;
const UNITS_MAX = 16;
/** A copy is told of at most this often, and only when it has come along. */
const PROGRESS_MS = 5_000;
const PROGRESS_SHARE = 0.05;
/** Of the volume stays free. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;
const DETACH_TRIES = 5;
const UNLISTED_MAX = 64;

export async function perform(act: GateAct, acting: Acting): Promise<GateEvent[]> {
  try {
    return await performing(act, acting);
  } catch (error) {
    if (acting.passage.stop.signal.aborted || error instanceof SpoolClosed) return []; // it has gone, or we have
    // one stick that brings out a fault of ours ends its own passage, not the gate
    return [{ event: "failed", reason: (error as Error).message || "it failed, and nothing says why" }];
  }
}

async function performing(act: GateAct, acting: Acting): Promise<GateEvent[]> {
  const { passage, ports, volume, attach, rules } = acting;
  const { device } = passage.state;
  switch (act.act) {
    case "hold":
      // a pinned keyboard stays alive from the first moment: it is known by port and descriptors already
      if (passage.state.step === "seen" && isPinned(device, rules.pins)) return [{ event: "held" }];
      return (await ports.authorise(device.port, false)) ? [{ event: "held" }] : [];
    case "classify": {
      const at = new Date(acting.now());
      const timeOfDay = at.getHours() * 3600 + at.getMinutes() * 60 + at.getSeconds();
      return [{ event: "classify", circumstances: { timeOfDay, allowed: acting.allowed().map(ruleFacts) } }];
    }
    case "copy":
      return [{ event: "copied", images: await copy(acting) }];
    case "seal":
      for (const { file, bytes, sha256 } of imagesOf(passage)) await volume.seal({ file, bytes, sha256 });
      return [{ event: "sealed" }];
    case "scan":
      return scanAll(acting);
    case "decide":
      return [{ event: "decide", exceptions: acting.exceptions, floor: acting.floor }];
    case "authorise": {
      if (!(await letIn(acting))) return [];
      return [{ event: "attached", delivery: { mode: "dom0", verified: false } }];
    }
    case "deliver":
      return deliver(act, acting);
    case "attach":
      return handOver(act, acting);
    case "detach": {
      // one that the guest holds on to is no reason to leave it the others
      const faults: unknown[] = [];
      for (const handle of [...passage.debts.handles])
        try {
          await takeBack(attach, handle);
          passage.debts.handles = passage.debts.handles.filter((each) => each !== handle);
        } catch (error) {
          faults.push(error);
        }
      if (faults.length > 0) throw faults[0];
      return [];
    }
    case "discard":
      // what a guest still reads stays
      if (passage.debts.handles.length > 0) return [];
      for (const file of passage.debts.files) await volume.discard(file);
      passage.debts.files = [];
      return [];
    default:
      return unreachable(act);
  }
}

const imagesOf = ({ state }: Passage): Image[] => ("images" in state ? state.images : []);

/** Lets a driver bind, finds the units, reads each once, and cuts the stick off again. */
async function copy(acting: Acting): Promise<Image[]> {
  const { passage, ports, place, volume, now, tell } = acting;
  const { device } = passage.state;
  const { signal } = passage.stop;
  try {
    if (!(await ports.authorise(device.port, true))) throw new DoorError("it has gone");
    const units = await findUnits(acting);
    const full = units.filter(({ bytes }) => bytes > 0);
    const total = full.reduce((sum, { bytes }) => sum + bytes, 0);
    if (full.length === 0) throw new DoorError("there is no medium in it");
    const free = await volume.freeBytes();
    if (total + FREE_BYTES_MIN > free)
      throw new DoorError(
        `it has ${total} bytes; the gate's volume has ${free} free, of which ${FREE_BYTES_MIN} stay so`,
      );
    const images: Image[] = [];
    let done = 0;
    let told = { at: now(), share: 0 };
    for (const { lun, node, bytes } of full) {
      const own = await isNodeOf(place, device.port, node!);
      if (!own.ok) throw new DoorError(own.error);
      const onProgress = (at: number) => {
        const share = (done + at) / total;
        const due = now() - told.at >= PROGRESS_MS && share - told.share >= PROGRESS_SHARE;
        if (due) told = { at: now(), share };
        const records = due ? [words.copying(device, done + at, total, now())] : [];
        void tell(records, `${device.port}: reading, ${Math.floor(share * 100)} %`).catch(() => {});
      };
      const copied = await volume.copy({ node: node!, bytes, onProgress, signal });
      passage.debts.files.push(copied.file);
      images.push({ lun, ...copied });
      done += bytes;
    }
    return images;
  } finally {
    await ports.authorise(device.port, false);
  }
}

/** All of them: a list that stays the same for a while. What the kernel bound must be what was judged. */
async function findUnits({ passage, ports, settleMs }: Acting): Promise<UnitSeen[]> {
  const { device } = passage.state;
  const { signal } = passage.stop;
  const began = performance.now();
  let before = "";
  let since = began;
  for (;;) {
    signal.throwIfAborted();
    const units = await ports.units(device.port);
    const text = JSON.stringify(units);
    const at = performance.now();
    if (text !== before) {
      before = text;
      since = at;
    }
    if (units.length > 0 && at - since >= settleMs) {
      const bound = await ports.interfaces(device.port);
      if (bound.length !== 1 || !device.interfaces.includes(bound[0]!))
        throw new DoorError(
          `it was judged as ${device.interfaces.join(", ")} and became ${bound.join(", ") || "nothing"}`,
        );
      if (units.length > UNITS_MAX)
        throw new DoorError(`it has ${units.length} logical units; at most ${UNITS_MAX} are read`);
      const odd = units.find(({ node }) => node === null);
      if (odd) throw new DoorError(`its logical unit ${odd.lun} is neither disk nor disc`);
      return units;
    }
    if (at - began > UNITS_MS + settleMs) throw new DoorError(`no disk came of it within ${UNITS_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function scanAll({ passage, volume, scan, rules, tell }: Acting): Promise<GateEvent[]> {
  const images = imagesOf(passage);
  const { device } = passage.state;
  const scans: ScanBody[] = [];
  for (const { lun, file, sha256, bytes } of images) {
    const source = images.length === 1 ? stickId(device) : `${stickId(device)} unit ${lun}`;
    const onProgress = (files: number) => void tell([], `${device.port}: scanning, ${files} files`).catch(() => {});
    const body = await scan(volume.path(file), { source, sha256, onProgress, signal: passage.stop.signal });
    scans.push({ ...body, image: { sha256, size: bytes } });
  }
  if (passage.stop.signal.aborted) return [];
  const files = scans.reduce((sum, { manifest }) => sum + manifest.length, 0);
  const manifest = stickManifest(
    rules.hash,
    scans.map((body) => body.manifest),
  );
  return [
    { event: "listed", listed: { files, manifest } },
    { event: "scanned", scans },
  ];
}

/** Makes what the guest gets and chooses how it will be called; both are journalled before the guest has them. */
async function deliver({ mode, grounds }: Extract<GateAct, { act: "deliver" }>, acting: Acting): Promise<GateEvent[]> {
  const { passage, attach, rebuild, taken } = acting;
  const { state } = passage;
  if (!attach) throw new DoorError("no guest is named in the agent's configuration (usb.guest), so nobody gets it");
  if (mode === "device" || state.step !== "decided") {
    const { bus, address } = state.device;
    passage.debts.handles = [await attach.planDevice(taken(), { bus, address })];
    return [{ event: "planned", handles: [...passage.debts.handles] }];
  }
  passage.gift = [];
  for (const [at, image] of state.images.entries()) {
    if (mode === "rebuild") {
      const rebuilt = await rebuild(image, state.scans[at]!.manifest, grounds, passage.stop.signal);
      passage.debts.files.push(rebuilt.file);
      passage.gift.push(rebuilt);
    }
    passage.debts.handles.push(await attach.planImage(taken()));
  }
  return [{ event: "planned", handles: [...passage.debts.handles] }];
}

/** A device that is used as it is: it must be what was judged when it is let in, and be it still when it has been, with no
 *  interface that was not. False where it has gone. @throws DoorError where it is another, and then it is held */
async function letIn({ passage, ports }: Acting): Promise<boolean> {
  const { device } = passage.state;
  const isSame = async () => {
    const read = await ports.read(device.port);
    if (read === undefined) return false;
    // the hash is over its descriptors and what it calls itself, its serial with it
    if (read.ok && isSamePlugging(read.value, device) && read.value.hash === device.hash) return true;
    const says = read.ok ? `${read.value.id}, serial ${JSON.stringify(read.value.serial)}` : read.error;
    throw new DoorError(`it is not what was judged any more: ${says.slice(0, 300)}`);
  };
  if (!(await isSame()) || !(await ports.authorise(device.port, true))) return false;
  try {
    const others = (await ports.interfaces(device.port)).filter((type) => !device.interfaces.includes(type));
    if (others.length > 0)
      throw new DoorError(
        `it was judged as ${device.interfaces.join(", ")} and has become ${others.join(", ")} as well`,
      );
    return await isSame();
  } catch (error) {
    await ports.authorise(device.port, false);
    throw error;
  }
}

async function handOver({ mode, handles }: Extract<GateAct, { act: "attach" }>, acting: Acting): Promise<GateEvent[]> {
  const { passage, volume, attach } = acting;
  const { state } = passage;
  if (!attach) throw new DoorError("no guest is named in the agent's configuration");
  if (mode === "device" || state.step !== "decided") {
    const { bus, address } = state.device;
    if (!(await letIn(acting))) return [];
    await attach.device(handles[0]!, { bus, address });
    return [{ event: "attached", delivery: { mode: "device", verified: false } }];
  }
  const gift = passage.gift ?? [];
  for (const [at, image] of state.images.entries()) {
    const given = mode === "rebuild" ? gift[at]!.file : image.file;
    const seen = mode === "rebuild" ? gift[at]!.seen : await volume.seen(given);
    if (mode === "image") {
      const found = await volume.check(given);
      if (found !== image.sha256) throw new DoorError(`the sealed image is ${found} now, it was ${image.sha256}`);
    }
    const isSame = async () => {
      if ((await volume.seen(given)) !== seen) throw new DoorError("what was looked at was changed since");
    };
    await isSame();
    passage.stop.signal.throwIfAborted();
    await attach.image(handles[at]!, volume.path(given));
    // the host opened it by its name: what lies there now is what it opened
    await isSame();
  }
  return [{ event: "attached", delivery: mode === "rebuild" ? { mode, verified: true, ...sum(gift) } : whole(state) }];
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
async function takeBack(attach: Attach | undefined, handle: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await attach?.detach(handle);
    } catch (error) {
      if (!(error instanceof DoorError) || tries >= DETACH_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * tries));
    }
  }
}
