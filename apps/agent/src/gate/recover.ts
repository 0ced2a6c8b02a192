/** The journal of an earlier life of the agent → passages: what the guest has and still may have stays, the rest is undone. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { isSamePlugging } from "@sallyport/shared/usb/device.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Plugged } from "../dom0/usb.ts";
import { enter } from "./drive.ts";
import { Journal, type JournalEntry, POSITION } from "./journal.ts";
import type { GateState } from "./passage.ts";
import * as words from "./passage-words.ts";
import { type Debts, type Gate, keyOf, type LiveParts, type Passage, passageOf } from "./under-way.ts";

/** One transaction, so that a kill in between finds it all again. */
export async function recover(gate: Gate, plugged: readonly Plugged[]): Promise<void> {
  const { parts, outlet, passages, commit } = gate;
  const records: Observation[] = [];
  const kept: Passage[] = [];
  for (const entry of Journal.parse(outlet.position(POSITION) ?? [])) {
    const { state, debts, basis } = entry;
    const { device } = state;
    if (state.step === "attached" && (await isStill(parts, state, debts, plugged))) {
      kept.push({ ...passageOf(keyOf(device), state as GateState, debts), basis });
      records.push(words.kept(device, parts.now()));
      continue;
    }
    const { owed, reason } = await takeBack(parts, debts);
    const after = state.step === "removed" ? state.after : state.step === "refused" ? state.at : state.step;
    // by a name of its own: what is plugged in there by now is another's passage, and judged like any other
    const key = `owed/${keyOf(device)}/${kept.length}`;
    if (owed.length > 0) kept.push(passageOf(key, { step: "removed", device, after }, { ...debts, handles: owed }));
    records.push(words.removed(device, after, reason, parts.now()));
  }
  for (const passage of kept) passages.set(passage.key, passage);
  const held = new Set(kept.flatMap(({ debts }) => debts.files));
  for (const file of await parts.volume.files()) if (!held.has(file)) await parts.volume.discard(file);
  await commit(records);
  for (const passage of kept) enter(gate, passage, { state: passage.state, acts: [], records: [] });
}

async function takeBack(parts: LiveParts, debts: Debts): Promise<{ owed: string[]; reason: string }> {
  let reason = "the agent was started again; the device is held and begins anew";
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

async function isStill(
  { ports, attach }: LiveParts,
  state: Extract<JournalEntry["state"], { step: "attached" }>,
  debts: Debts,
  plugged: readonly Plugged[],
): Promise<boolean> {
  const at = plugged.find(({ port }) => port === state.device.port);
  const read = at && (await ports.read(at.port));
  if (!read?.ok || !isSamePlugging(read.value, state.device)) return false;
  if (state.mode === "dom0") return at?.authorised ?? false;
  try {
    for (const handle of debts.handles) if (!(await attach?.has(handle))) return false;
  } catch (error) {
    if (error instanceof DoorError) return false;
    throw error;
  }
  return debts.handles.length > 0;
}
