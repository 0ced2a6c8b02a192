/** What the guest was given → whether it has it still. A guest that ends, or somebody at xl, takes a device from it without
 *  a word to the gate, and dom0's drivers may have it then. Beside the gate's loop and rarely: each question is a process. */
import { isPinned } from "@sallyport/shared/usb/device.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Plugged } from "../dom0/usb.ts";
import { pause } from "../pace.ts";
import { foreign } from "./give.ts";
import { type Gate, holdOwn, type Passage, send, stickOf } from "./under-way.ts";

const ASK_MS = 5_000;
/** No life of the guest is called so: the next that comes is another. */
const NO_LIFE = "";

const GONE = "the guest has ended and has it no more; it is offered again, as if plugged in, when the guest is back";
const LET_GO =
  "the guest does not have it any more, though it runs: somebody took it away. Plug it in again to offer it again";

/** It is with the guest, and nothing of it is under way. */
const isGiven = ({ idle, stop, state, debts }: Passage): boolean =>
  idle && !stop.signal.aborted && state.step === "attached" && state.mode !== "dom0" && debts.handles.length > 0;

/** Ends with the gate. */
export async function keeping(gate: Gate): Promise<void> {
  const { parts, passages, away, over } = gate;
  while (parts.attach && !over.signal.aborted) {
    await pause(parts.keepMs ?? ASK_MS, over.signal);
    const given = [...passages.values()].filter(isGiven);
    if (over.signal.aborted || (given.length === 0 && away.size === 0)) continue;
    try {
      const found = await parts.attach.holds(given.flatMap(({ debts }) => debts.handles));
      for (const passage of given) {
        const has = passage.debts.handles.every((handle) => found.has.includes(handle));
        if (!isGiven(passage)) continue;
        const isOther = found.guest === undefined || (passage.guest ?? found.guest) !== found.guest;
        if (!has || isOther) await lose(gate, passage, isOther ? GONE : LET_GO, isOther ? NO_LIFE : found.guest!);
        else passage.guest = found.guest!;
      }
      // another life of the guest is another plugging: judged and read anew
      for (const [key, guest] of away)
        if (found.isReady && guest !== undefined && guest !== found.guest) away.delete(key);
        else if (guest === undefined) away.set(key, found.guest ?? NO_LIFE);
    } catch (error) {
      // nobody knows; what dom0's drivers do is looked at all the same
      if (!(error instanceof DoorError)) throw error;
      parts.log.warn({ error: error.message }, "usb.guest-unknown");
    }
  }
}

/** Held before anything is written; `guest` is the life of it that does not get it again. */
async function lose({ away, parts }: Gate, passage: Passage, reason: string, guest: string | undefined): Promise<void> {
  away.set(passage.key, guest);
  send(passage, { event: "lost", reason }, true);
  // refused by the kernel, it is the passage's to say
  await holdOwn(parts.ports, passage.state.device).catch(() => false);
}

/** Each look, of what is let in and nobody works on: no driver of dom0's has what is the guest's, nor is given it, and dom0's
 *  own is not shut out by a moment in which something else was let in. */
export async function keepApart(gate: Gate, passage: Passage, at: Plugged): Promise<void> {
  const { ports, rules } = gate.parts;
  const { state } = passage;
  if (!passage.idle || state.step !== "attached" || passage.stop.signal.aborted) return;
  if (state.mode === "dom0" || isPinned(state.device, rules().pins)) {
    if ((await ports.faces(at.port)).some(({ authorised }) => !authorised)) await ports.open(at.port, "probe");
    return;
  }
  if (state.mode !== "device") return;
  const isOurs = () => passage.state === state && passage.idle && !passage.stop.signal.aborted;
  claimAgain(gate, passage, isOurs).catch(gate.fault);
  const driver = foreign(await ports.faces(at.port));
  if (driver === undefined || !isOurs()) return;
  gate.parts.log.error({ stick: stickOf(passage), driver }, "usb.driver");
  const reason = `dom0's driver ${driver} has taken what the guest let go of; it is offered again when the guest was started again`;
  await lose(gate, passage, reason, passage.guest);
}

const asking = new WeakSet<Passage>();

/** Where the claim of its port ended with an earlier life of the agent, or by somebody's hand. Beside the look, since a hub
 *  that is busy with another device answers late. */
async function claimAgain({ parts }: Gate, passage: Passage, isOurs: () => boolean): Promise<void> {
  if (asking.has(passage)) return;
  asking.add(passage);
  try {
    await parts.ports.claim(passage.state.device.port);
  } catch (error) {
    if (!(error instanceof DoorError)) throw error;
    const reason = `nothing keeps it from dom0's drivers when the guest lets go of it: ${error.message}`;
    if (isOurs()) send(passage, { event: "failed", reason });
  } finally {
    asking.delete(passage);
  }
}
