/** How a passage ends before its time: pulled out, refused by what the host says, stopped by a rule. Pure. */
import type { GateAct, GateState, Next } from "./passage-state.ts";
import * as words from "./passage-words.ts";

/** Gone in the middle is refused; gone from the guest is removed; what had its end already is only let go. */
export function pulled(state: GateState, now: number): Next {
  const { device } = state;
  if (state.step === "removed") return { state, acts: [], records: [] };
  const after = state.step === "refused" ? state.at : state.step;
  const undone: GateAct[] = [{ act: "detach" }, { act: "discard" }];
  const cut = !["attached", "refused"].includes(state.step) && !(state.step === "decided" && state.verdict === "hold");
  const records = [words.removed(device, after, "the device is gone from its port", now)];
  if (cut) records.unshift(words.refused(device, after, "pulled out before the gate was through with it", now));
  return { state: { step: "removed", device, after }, acts: undone, records };
}

/** Held at once; what becomes of it is another passage's. */
export function lost(state: GateState, reason: string, now: number): Next {
  if (state.step !== "attached") return { state, acts: [], records: [] };
  const { device } = state;
  return {
    state: { step: "removed", device, after: "attached" },
    acts: [{ act: "hold" }, { act: "detach" }, { act: "discard" }],
    records: [words.lost(device, reason, now)],
  };
}

/** It may have been with the guest already: that is a verdict, and somebody is called. */
export function stopped(
  state: GateState,
  reason: string,
  { rule, about }: { rule: string; about: "device" | "contents" },
  now: number,
): Next {
  const next = failed(state, reason, now);
  if (next.records.length === 0) return next;
  return { ...next, records: [words.judged(state.device, { rule, reason }, now, about), ...next.records] };
}

export function failed(state: GateState, reason: string, now: number): Next {
  if (state.step === "removed" || state.step === "refused") return { state, acts: [], records: [] };
  const { device } = state;
  return {
    state: { step: "refused", device, at: state.step, reason: reason.slice(0, 1024) },
    // the kernel cuts a device off at once; a guest or its tools may take minutes to answer
    acts: [{ act: "hold" }, { act: "detach" }, { act: "discard" }],
    records: [words.refused(device, state.step, reason, now)],
  };
}
