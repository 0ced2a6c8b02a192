/** The journal of an earlier life of the agent → passages: what the guest has and still may have stays, the rest is undone. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { isSamePlugging } from "@sallyport/shared/usb/device.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Plugged } from "../dom0/usb.ts";
import { pause } from "../pace.ts";
import { enter } from "./drive.ts";
import { Journal, type JournalEntry, POSITION } from "./journal.ts";
import type { GateState } from "./passage-state.ts";
import * as words from "./passage-words.ts";
import {
  type Debts,
  type Gate,
  keyOf,
  type LiveParts,
  type Passage,
  passageOf,
  ROOM_MS,
  unawaited,
} from "./under-way.ts";

/** One transaction, so that a kill in between finds it all again. */
export async function recover(gate: Gate, plugged: readonly Plugged[]): Promise<void> {
  const { parts, outlet, passages, commit } = gate;
  const records: Observation[] = [];
  const kept: Passage[] = [];
  for (const entry of Journal.parse(outlet.position(POSITION) ?? [])) {
    const { state, debts, basis } = entry;
    const { device } = state;
    const gone = state.step === "attached" ? await whyGone(parts, state, debts, plugged) : BEGINS_ANEW;
    if (gone === undefined) {
      kept.push({ ...passageOf(keyOf(device), state as GateState, debts), basis });
      records.push(words.kept(device, parts.now()));
      continue;
    }
    const { owed, reason } = await takeBack(parts, debts, gone);
    const after = state.step === "removed" ? state.after : state.step === "refused" ? state.at : state.step;
    // by a name of its own: what is plugged in there by now is another's passage, and judged like any other
    const key = `owed/${keyOf(device)}/${kept.length}`;
    if (owed.length > 0) kept.push(passageOf(key, { step: "removed", device, after }, { ...debts, handles: owed }));
    records.push(words.removed(device, after, reason, parts.now()));
  }
  for (const passage of kept) passages.set(passage.key, Object.assign(passage, { noted: passage.state }));
  const held = new Set(kept.flatMap(({ debts }) => debts.files));
  for (const file of await parts.volume.files()) if (!held.has(file)) await parts.volume.discard(file);
  // where there is no room, the rest waits behind it, and what takes away does not
  const written = commit(records);
  unawaited(gate, written);
  await Promise.race([written, pause(ROOM_MS, gate.over.signal)]);
  for (const passage of kept) enter(gate, passage, { state: passage.state, acts: [], records: [] });
}

const BEGINS_ANEW = "the agent was started again; the device is held and begins anew";
const TAKEN =
  "the guest had it no more when the agent was started again: it was taken back without room to write that down, or by another; the device is held and begins anew";

async function takeBack(parts: LiveParts, debts: Debts, gone: string): Promise<{ owed: string[]; reason: string }> {
  let reason = gone;
  const owed: string[] = [];
  for (const handle of debts.handles) {
    try {
      await parts.attach?.detach(handle);
    } catch (error) {
      if (!(error instanceof DoorError)) throw error;
      owed.push(handle);
      reason = `the agent was started again, and the guest does not let go of ${handle}; it is asked again: ${error.message}`;
    }
  }
  return { owed, reason };
}

/** Nothing where it is still what it was, with all that it had. */
async function whyGone(
  { ports, attach }: LiveParts,
  { device, mode, handles }: Extract<JournalEntry["state"], { step: "attached" }>,
  debts: Debts,
  plugged: readonly Plugged[],
): Promise<string | undefined> {
  const at = plugged.find(({ port }) => port === device.port);
  const read = at && (await ports.read(at.port));
  const isThere = read?.ok && isSamePlugging(read.value, device);
  if (mode === "dom0") return isThere && at?.authorised ? undefined : BEGINS_ANEW;
  try {
    for (const handle of handles) if (!debts.handles.includes(handle) || !(await attach?.has(handle))) return TAKEN;
  } catch (error) {
    if (error instanceof DoorError) return BEGINS_ANEW;
    throw error;
  }
  if (!isThere || handles.length === 0) return BEGINS_ANEW;
  // one that was held was on its way back
  return mode === "device" && !at?.authorised ? TAKEN : undefined;
}
