/** What a step asks for → done through dom0, and the events that come of it. What the host refuses is a `failed` event,
 *  never an end of the gate. */

import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { isPinned, stickId } from "@sallyport/shared/usb/device.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { DoorError } from "../dom0/dom0.ts";
import { isNodeOf, type UnitSeen } from "../dom0/usb-units.ts";
import { SpoolClosed } from "../spool/intake.ts";
import type { Acting } from "./acting.ts";
import { asJudged, asStick, deliver, handOver, letIn, made, takeBack } from "./give.ts";
import { inTurns } from "./in-turns.ts";
import type { GateAct, GateEvent, Image } from "./passage-state.ts";
import { listedOf } from "./passage-verdict.ts";
import * as words from "./passage-words.ts";
import { listing } from "./records.ts";
import { stickBytes } from "./room.ts";
import { holdOwn, type Passage } from "./under-way.ts";

/** Until a driver shows the first unit. */
const UNITS_MS = 30_000;
const LOOK_MS = 50;
const UNITS_MAX = 16;
/** A copy is told of at most this often, and only when it has come along. */
const PROGRESS_MS = 5_000;
const PROGRESS_SHARE = 0.05;

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
      return (await holdOwn(ports, device)) ? [{ event: "held" }] : [];
    case "classify":
      return [{ event: "classify", circumstances: acting.circumstances() }];
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
      if (!(await letIn(acting, "dom0"))) return [];
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
  const { passage, ports, place, volume, now, tell, rules, setAside } = acting;
  const { device } = passage.state;
  const { signal } = passage.stop;
  try {
    if (!(await letIn(acting, "reader"))) throw new DoorError("it has gone");
    const units = await findUnits(acting);
    const full = units.filter(({ bytes }) => bytes > 0);
    const total = full.reduce((sum, { bytes }) => sum + bytes, 0);
    if (full.length === 0) throw new DoorError("there is no medium in it");
    const needed = stickBytes(full, rules.policy.present === "rebuild");
    const room = setAside(needed);
    if (!room.ok) throw new DoorError(`it is not read: ${room.error}`);
    const images: Image[] = [];
    let done = 0;
    let told = { at: now(), share: 0 };
    for (const { lun, node, bytes } of full) {
      const own = await isNodeOf(place, device.port, node!);
      if (!own.ok) throw new DoorError(own.error);
      const onProgress = (at: number) => {
        passage.setAside = needed - done - at;
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
    await holdOwn(ports, device);
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
    const faces = await ports.faces(device.port);
    const bound = faces.map(({ type }) => type);
    asJudged(device, made(bound));
    asStick(faces);
    const units = await ports.units(device.port);
    const text = JSON.stringify(units);
    const at = performance.now();
    if (text !== before) {
      before = text;
      since = at;
    }
    if (units.length > 0 && at - since >= settleMs) {
      asJudged(device, bound);
      if (bound.length !== 1)
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

/** Each unit's sealed image, as it lies there. */
export async function scanImages({ passage, volume, scan, tell, rules }: Acting): Promise<ScanBody[]> {
  const images = imagesOf(passage);
  const { device } = passage.state;
  const scans: ScanBody[] = [];
  for (const { lun, file, sha256, bytes } of images) {
    const source = images.length === 1 ? stickId(device) : `${stickId(device)} unit ${lun}`;
    const onProgress = (files: number) => void tell([], `${device.port}: scanning, ${files} files`).catch(() => {});
    const body = await scan(volume.path(file), { source, sha256, onProgress, signal: passage.stop.signal });
    await inTurns(listing(body.manifest, rules.hash));
    scans.push({ ...body, image: { sha256, size: bytes } });
  }
  return scans;
}

async function scanAll(acting: Acting): Promise<GateEvent[]> {
  const scans = await scanImages(acting);
  if (acting.passage.stop.signal.aborted) return [];
  return [
    { event: "listed", listed: listedOf(scans, acting.rules.hash) },
    { event: "scanned", scans },
  ];
}
