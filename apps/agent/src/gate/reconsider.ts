/** Exceptions, overlays and rules that come and go → the passages they change: a new exception lets go on, the end of one,
 *  an overlay and stricter rules take back. What only loosens waits for the next plugging in. */
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { OVERLAY_RULE } from "@sallyport/shared/usb/decide.ts";
import { asOf } from "./circumstances.ts";
import { deniedHere } from "./denied.ts";
import type { GateEvent, GateState } from "./passage-state.ts";
import { type Stricter, stricterNow } from "./stricter.ts";
import { type Gate, holdsOf, type Passage, send } from "./under-way.ts";

/** What an agent attached that kept no basis yet: its exceptions named a model, and those let nothing pass any more. */
const OF_A_MODEL =
  "its exception was taken by an earlier version of the agent: it has ended, or it names a model and not this stick. Plug it in again and ask anew";

/** Looks again at everything, each time it is called; cheap where nothing has changed. */
export function reconsiderer(gate: Gate): () => void {
  const { parts, passages } = gate;
  let exceptions = "";
  let denied = "";
  /** Of each passage, what it was looked at with. */
  const settled = new WeakMap<Passage, { policy: UsbSection; state: GateState }>();

  /** A new exception is a reason to decide again; one that has ended, here or while the agent was away, takes back. */
  function byExceptions(): void {
    const known = parts.exceptions();
    const now = known.map(({ digest }) => digest).join();
    const isNew = now !== exceptions;
    exceptions = now;
    for (const passage of passages.values()) {
      const { state } = passage;
      if (isNew && state.step === "decided")
        send(passage, { event: "decide", exceptions: known, floor: parts.floor() });
      if (state.step === "attached" && state.exception && !known.some(({ digest }) => digest === state.exception))
        send(passage, { event: "failed", reason: passage.basis ? "its exception has ended" : OF_A_MODEL });
    }
  }

  /** What the overlay denies now goes from the guest, and from whatever is under way. */
  function byOverlay(): void {
    const rules = parts.rules();
    const now = rules.denied.map(({ id }) => id).join();
    if (now === denied) return;
    denied = now;
    for (const passage of passages.values()) {
      const reason = deniedHere(passage.state, holdsOf(passage), rules);
      if (reason !== undefined) send(passage, byOverlayOf(reason), true);
    }
  }

  function byPolicy(): void {
    const { policy } = parts.rules();
    for (const passage of passages.values()) {
      const { state } = passage;
      const seen = settled.get(passage);
      if (seen?.policy === policy && seen.state === state) continue;
      settled.set(passage, { policy, state });
      const why = strict(gate, passage);
      if (why) send(passage, { event: "failed", reason: why.reason, verdict: why }, true);
    }
  }

  return () => {
    byExceptions();
    byOverlay();
    byPolicy();
  };
}

type Failed = Extract<GateEvent, { event: "failed" }>;

const byOverlayOf = (reason: string): Failed => ({
  event: "failed",
  reason,
  verdict: { rule: OVERLAY_RULE, about: "device" },
});

/** Why nobody may get it any more, asked right before it is handed over: to make a copy and to hash an image takes minutes,
 *  in which an exception ends, and an overlay and stricter rules come. */
export function notAnyMore(gate: Gate, passage: Passage): Failed | undefined {
  const { parts } = gate;
  const { state } = passage;
  if ("exception" in state && state.exception && !parts.exceptions().some(({ digest }) => digest === state.exception))
    return { event: "failed", reason: "its exception has ended" };
  const denied = deniedHere(state, holdsOf(passage), parts.rules());
  if (denied !== undefined) return byOverlayOf(denied);
  const why = strict(gate, passage);
  return why && { event: "failed", reason: why.reason, verdict: why };
}

/** Why the rules in force now would not let it come where it is. */
export function strict({ parts, past }: Gate, passage: Passage): Stricter | undefined {
  const rules = parts.rules();
  const moment = passage.moment ?? passage.basis?.moment ?? past.moment(Math.max(parts.now(), parts.floor()), []);
  const circumstances = asOf(rules.hash, moment);
  return stricterNow(passage.state, passage.basis, rules, { circumstances, holds: holdsOf(passage) });
}
