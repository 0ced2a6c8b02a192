/** One device through `step`: what is to happen is on disk, with its records, before it happens. But for what only takes
 *  away: where there is no room it is done, and written down when there is. Killed in between, the next life finds in the
 *  journal that the guest had it, and that it has it no more. */

import type { GateStep } from "@sallyport/shared/record/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import { pause } from "../pace.ts";
import { SpoolClosed } from "../spool/intake.ts";
import { prepareAhead } from "../spool/prepare.ts";
import { acting } from "./acting.ts";
import { perform } from "./acts.ts";
import { PAST_POSITION } from "./circumstances.ts";
import { inTurns } from "./in-turns.ts";
import { appeared, step } from "./passage.ts";
import type { GateAct, GateState, Next } from "./passage-state.ts";
import * as words from "./passage-words.ts";
import { notAnyMore } from "./reconsider.ts";
import { contentsBasis, deviceBasis } from "./stricter.ts";
import { type Gate, hashesOf, type Passage, passageOf, ROOM_MS, stickOf, unawaited } from "./under-way.ts";

/** A guest that does not let go of a stick that has gone is asked again this often. */
const UNDO_MS = 5_000;
/** A long manifest's parts are a hundred kilobytes each. */
const RECORDS_AT_ONCE = 8;

export function begin(gate: Gate, key: string, device: UsbDevice): void {
  enter(gate, passageOf(key, { step: "seen", device }), appeared(device, gate.parts.now()));
}

export function enter(gate: Gate, passage: Passage, next: Next): void {
  gate.passages.set(passage.key, passage);
  passage.done = drive(gate, passage, next).catch((error: unknown) => {
    if (!(error instanceof SpoolClosed)) gate.fault(error);
    gate.parts.log.error({ stick: stickOf(passage), error: (error as Error).message }, "usb.ended");
  });
}

async function drive(gate: Gate, passage: Passage, first: Next): Promise<void> {
  const { parts, over } = gate;
  let next: Next | undefined = first;
  while (next && !over.signal.aborted) {
    passage.state = next.state;
    if (WRITES_NO_MORE.has(next.state.step)) passage.setAside = 0;
    remember(gate, passage);
    if (next.records.length > RECORDS_AT_ONCE) await inTurns(prepareAhead(next.records));
    if (!(await mayAct(gate, passage, next))) {
      next = await nextOf(gate, passage);
      continue;
    }
    await parts.reached?.(next.state);
    for (const each of next.acts) {
      if (over.signal.aborted) return;
      const why = handsOver(each) ? notAnyMore(gate, passage) : undefined;
      if (why) passage.inbox.unshift(why);
      if (why) break;
      passage.inbox.push(...(await perform(each, acting(gate, passage))));
    }
    if (next.state.step === "removed") return undo(gate, passage);
    if (next.state.step === "refused" && passage.debts.handles.length > 0) await insist(gate, passage, next.state.at);
    next = await nextOf(gate, passage);
  }
}

const WRITES_NO_MORE: ReadonlySet<GateState["step"]> = new Set(["attached", "refused", "removed"]);
const TAKES_AWAY: ReadonlySet<GateAct["act"]> = new Set(["hold", "detach", "discard"]);

/** Once it is on disk; without room, after a while where it only takes away. False where something that takes away has
 *  come before there was room: then nothing else of it is done. */
async function mayAct(gate: Gate, passage: Passage, { records, acts }: Next): Promise<boolean> {
  const { parts, over } = gate;
  const isAway = takesAway(acts);
  let isWritten = false;
  const isKept = keepPast(gate);
  const isNoted = records.length > 0 || acts.length > 0 ? gate.commit(records, passage) : undefined;
  const written = Promise.all([isKept, isNoted]).then(() => {
    isWritten = true;
  });
  unawaited(gate, written);
  const waited = new AbortController();
  const end = AbortSignal.any([waited.signal, over.signal]);
  try {
    await Promise.race([written, isAway ? pause(ROOM_MS, end) : takenAway(gate, passage, end)]);
  } finally {
    waited.abort();
    passage.wake = () => {};
    passage.idle = false;
  }
  if (!isWritten && isAway && !over.signal.aborted)
    parts.log.warn({ stick: stickOf(passage), step: passage.state.step }, "usb.no-room");
  return isWritten || isAway;
}

const takesAway = (acts: readonly GateAct[]): boolean =>
  acts.length > 0 && acts.every(({ act }) => TAKES_AWAY.has(act));

/** Until something has come for it that takes away. Meanwhile nothing of it is under way: it is watched, and scanned again,
 *  as one that waits for a person. */
async function takenAway({ parts }: Gate, passage: Passage, end: AbortSignal): Promise<void> {
  const hasCome = () =>
    passage.inbox.some((event) => takesAway(step(passage.state, event, parts.rules(), parts.now()).acts));
  passage.idle = true;
  while (!end.aborted && !hasCome())
    await new Promise<void>((resolve) => {
      passage.wake = resolve;
    });
}

/** Rules may have changed since it was let come so far: asked once more before anybody gets it. */
const handsOver = ({ act }: GateAct): boolean => act === "deliver" || act === "attach" || act === "authorise";

/** What it passes under, for when the rules change. */
function remember({ parts }: Gate, passage: Passage): void {
  const { state } = passage;
  if (state.step === "classified") passage.basis ??= deviceBasis(parts.rules(), passage.moment);
  if (state.step === "sealed") passage.scanned = parts.rules();
  if (state.step !== "scanned") return;
  passage.hashes = hashesOf(state.scans);
  const under = passage.scanned ?? parts.rules();
  const contents = contentsBasis(under, state.scans, parts.now());
  passage.basis = { ...(passage.basis ?? deviceBasis(under)), contents };
}

async function keepPast({ parts, past, outlet }: Gate): Promise<void> {
  const value = past.changed(parts.rules().policy);
  if (value !== undefined) await outlet.emit({ observations: [], position: { name: PAST_POSITION, value } });
}

/** Nothing where the gate ends. */
async function nextOf({ parts, over }: Gate, passage: Passage): Promise<Next | undefined> {
  while (!over.signal.aborted) {
    const event = passage.inbox.shift();
    if (event !== undefined) {
      const found = step(passage.state, event, parts.rules(), parts.now());
      if (found.state !== passage.state || found.acts.length > 0) return found;
      continue;
    }
    passage.idle = true;
    await new Promise<void>((resolve) => {
      passage.wake = resolve;
    });
    passage.idle = false;
  }
  return undefined;
}

/** A guest that does not let go is asked again, until it does or there is another reason to stop. */
async function takeBack(gate: Gate, passage: Passage, isOver = () => false): Promise<void> {
  while (passage.debts.handles.length > 0 && !isOver() && !gate.over.signal.aborted) {
    await pause(UNDO_MS, gate.over.signal);
    for (const act of ["detach", "discard"] as const) await perform({ act }, acting(gate, passage));
  }
}

/** What was refused while the guest had it: that the guest still has it is on record, and so is the end of that. */
async function insist(gate: Gate, passage: Passage, at: GateStep): Promise<void> {
  const { parts } = gate;
  const { device } = passage.state;
  const handles = passage.debts.handles.join(", ");
  const say = (what: string) => unawaited(gate, gate.commit([words.refused(device, at, what, parts.now())]));
  say(`the guest does not let go of ${handles}; it is asked again`);
  await takeBack(gate, passage, () => passage.inbox.some(({ event }) => event === "pulled"));
  if (passage.debts.handles.length === 0) say(`the guest has let go of ${handles}`);
}

/** It stays in the journal until nothing is left of it. */
async function undo(gate: Gate, passage: Passage): Promise<void> {
  await takeBack(gate, passage);
  if (gate.over.signal.aborted) return;
  gate.passages.delete(passage.key);
  unawaited(gate, gate.commit([]));
}
