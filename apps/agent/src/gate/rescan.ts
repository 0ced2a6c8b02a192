/** New definitions, or a person's order → the sealed images of sticks that wait or are with the guest, scanned once more.
 *  Beside the gate's loop and one stick after another; what comes of it is an event like any other. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { Scanner } from "@sallyport/shared/usb/scan.ts";
import { DoorError } from "../dom0/dom0.ts";
import { SpoolClosed } from "../spool/intake.ts";
import { acting } from "./acting.ts";
import { scanImages } from "./acts.ts";
import { RescanDesk } from "./rescan-desk.ts";
import { contentsBasis, deviceBasis } from "./stricter.ts";
import { type Gate, hashesOf, type Passage, send, stickOf } from "./under-way.ts";

const LOOK_MS = 60_000;

const nameOf = ({ engine, definitions, date, set }: Scanner): string =>
  canonicalText([engine, definitions, date, set ?? null]);

/** A stick whose image is still there, and of which nothing is under way. */
const isStill = ({ state, idle, stop }: Passage): boolean =>
  idle &&
  !stop.signal.aborted &&
  ((state.step === "attached" && state.images.length > 0) || (state.step === "decided" && state.verdict === "hold"));

/** Ends with the gate. */
export async function rescanning(gate: Gate): Promise<void> {
  const { parts, passages, over } = gate;
  const desk = parts.rescans ?? new RescanDesk();
  /** Each is tried once with the same definitions, whatever came of it. */
  const tried = new WeakMap<Passage, string>();
  const waiting = () => [...passages.values()].filter(isStill);
  desk.held = () => waiting().map(stickOf);
  while (!over.signal.aborted) {
    await desk.bell.wait(parts.scannerMs ?? LOOK_MS, over.signal);
    const ordered = new Set(desk.asked);
    desk.asked.clear();
    const scanner = waiting().length > 0 ? await scannerNow(gate) : undefined;
    const name = scanner && nameOf(scanner);
    for (const passage of waiting()) {
      const isOrdered = ordered.has(stickOf(passage));
      const had = passage.basis?.contents?.facts.every((facts) => facts.scanner && nameOf(facts.scanner) === name);
      const isNew = name !== undefined && !had && tried.get(passage) !== name && parts.rules().policy.rescan !== false;
      if (over.signal.aborted || !(isOrdered || isNew) || !isStill(passage)) continue;
      if (name !== undefined) tried.set(passage, name);
      await again(gate, passage);
    }
  }
  desk.held = () => [];
}

/** One that cannot be asked is none: what its configuration says wrong holds the next scan, and ends nothing here. */
async function scannerNow({ parts }: Gate): Promise<Scanner | undefined> {
  try {
    return await parts.scanner?.();
  } catch (error) {
    parts.log.error({ error: (error as Error).message }, "usb.scanner-unknown");
    return undefined;
  }
}

async function again(gate: Gate, passage: Passage): Promise<void> {
  const { parts } = gate;
  const { state } = passage;
  const rules = parts.rules();
  try {
    for (const { file, sha256 } of "images" in state ? state.images : [])
      if ((await parts.volume.check(file)) !== sha256) throw new DoorError(`${file} is not what was sealed`);
    const scans = await scanImages(acting(gate, passage));
    // one that has no scanner by now knows less than the one before
    if (passage.stop.signal.aborted || passage.state !== state || scans.some(({ scanner }) => scanner === null)) return;
    // what the guest has passed with an answer for each file; one that could not be had now is no better ground
    const isWhole = scans.every(({ verdict }) => verdict !== "hold");
    if (isWhole || state.step !== "attached" || state.exception !== undefined) {
      passage.hashes = hashesOf(scans);
      const contents = contentsBasis(rules, scans, parts.now());
      passage.basis = { ...(passage.basis ?? deviceBasis(rules)), contents };
    }
    send(passage, { event: "rescanned", scans, exceptions: parts.exceptions(), floor: parts.floor() });
  } catch (error) {
    if (error instanceof SpoolClosed || gate.over.signal.aborted) return;
    parts.log.error({ stick: stickOf(passage), error: (error as Error).message }, "usb.rescan-failed");
  }
}
