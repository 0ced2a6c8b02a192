/** One device's way through the gate: state, event, rules and time in; the next state, what to do and what to write
 *  down out. Pure, so that it can be read as a table. drive.ts writes down first, then does. */
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { isPinned, ruleFacts, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import { judgeDevice } from "@sallyport/shared/usb/judge.ts";
import type { Circumstances } from "@sallyport/shared/usb/rules/match.ts";
import { failed, lost, pulled, stopped } from "./passage-ends.ts";
import type { Delivery, GateAct, GateEvent, GateState, Image, Next, Rules, Stands } from "./passage-state.ts";
import { decided, rescanned } from "./passage-verdict.ts";
import * as words from "./passage-words.ts";

/** A device has appeared: nothing of it is believed or bound yet. */
export const appeared = (device: UsbDevice, now: number): Next => ({
  state: { step: "seen", device },
  acts: [{ act: "hold" }],
  records: [words.seen(device, now)],
});

/** An event that does not belong to the state changes nothing: a stick may be pulled out under any work. */
export function step(state: GateState, event: GateEvent, rules: Rules, now: number): Next {
  if (event.event === "pulled") return pulled(state, now);
  if (event.event === "lost") return lost(state, event.reason, now);
  if (event.event === "failed")
    return event.verdict ? stopped(state, event.reason, event.verdict, now) : failed(state, event.reason, now);
  if (event.event === "rescanned") return rescanned(state, event, rules, now);
  const nothing: Next = { state, acts: [], records: [] };
  switch (state.step) {
    case "seen":
      if (event.event !== "held") return nothing;
      return {
        state: { ...state, step: "held" },
        acts: [{ act: "classify" }],
        records: [words.held(state.device, now)],
      };
    case "held":
      return event.event === "classify" ? classify(state.device, event.circumstances, rules, now) : nothing;
    case "classified":
      return classified(state, event, now) ?? nothing;
    case "copied":
      if (event.event !== "sealed") return nothing;
      return { state: { ...state, step: "sealed" }, acts: [{ act: "scan" }], records: [words.sealed(state, now)] };
    case "sealed": {
      if (event.event !== "listed") return nothing;
      const next = { ...state, step: "listed" as const, listed: event.listed };
      return { state: next, acts: [], records: [words.listed(next, now)] };
    }
    case "listed": {
      if (event.event !== "scanned") return nothing;
      const next = { ...state, step: "scanned" as const, scans: event.scans };
      return { state: next, acts: [{ act: "decide" }], records: words.scanned(next, rules.hash, now) };
    }
    case "scanned":
      return event.event === "decide" ? decided(state, event, rules, now) : nothing;
    case "decided":
      return waiting(state, event, rules, now) ?? nothing;
    case "attached":
    case "removed":
    case "refused":
      return nothing;
    default:
      return unreachable(state);
  }
}

function classify(device: UsbDevice, circumstances: Circumstances, rules: Rules, now: number): Next {
  if (isPinned(device, rules.pins)) {
    const rule = { outcome: "dom0" as const, rule: "pinned", reason: "pinned at installation by port and descriptors" };
    return onWay(device, "dom0", words.classified(device, rule, now));
  }
  const judged = judgeDevice(ruleFacts(device), rules.policy, circumstances, rules.denied);
  switch (judged.outcome) {
    case "block": {
      const next = failed({ step: "held", device }, judged.reason, now);
      return { ...next, records: [words.judged(device, judged, now), ...next.records] };
    }
    case "read":
    case "direct":
    case "dom0":
      return onWay(device, judged.outcome, words.classified(device, judged, now));
    default:
      return unreachable(judged.outcome);
  }
}

function onWay(device: UsbDevice, way: Stands<"classified">["way"], record: Observation): Next {
  const acts: Record<typeof way, GateAct> = {
    read: { act: "copy" },
    direct: { act: "deliver", mode: "device", grounds: "verdict" },
    dom0: { act: "authorise" },
  };
  return { state: { step: "classified", device, way, handles: [] }, acts: [acts[way]], records: [record] };
}

function classified(state: Stands<"classified">, event: GateEvent, now: number): Next | undefined {
  switch (event.event) {
    case "copied": {
      if (state.way !== "read") return undefined;
      const next = { step: "copied" as const, device: state.device, images: event.images };
      return { state: next, acts: [{ act: "seal" }], records: [words.copied(next, now)] };
    }
    case "planned": {
      if (state.way !== "direct") return undefined;
      const { handles } = event;
      return { state: { ...state, handles }, acts: [{ act: "attach", mode: "device", handles }], records: [] };
    }
    case "attached":
      // a stick that is to be read goes nowhere from here
      if (event.delivery.mode !== (state.way === "direct" ? "device" : state.way)) return undefined;
      return attached({ ...state, images: [] }, event.delivery, now);
    default:
      return undefined;
  }
}

function waiting(state: Stands<"decided">, event: GateEvent, rules: Rules, now: number): Next | undefined {
  switch (event.event) {
    case "decide": {
      if (state.verdict !== "hold") return undefined;
      const next = decided(state, event, rules, now);
      return next.state.step === "decided" && next.state.verdict === "hold" ? undefined : next;
    }
    case "planned": {
      if (state.verdict !== "allow") return undefined;
      const { handles } = event;
      return {
        state: { ...state, handles },
        acts: [{ act: "attach", mode: state.mode, handles }],
        records: [],
      };
    }
    case "attached":
      return state.verdict === "allow" ? attached(state, event.delivery, now) : undefined;
    default:
      return undefined;
  }
}

function attached(
  from: Stands<"decided"> | (Stands<"classified"> & { images: Image[] }),
  delivery: Delivery,
  now: number,
): Next {
  const { device, images, handles } = from;
  const exception = "exception" in from && from.exception !== undefined ? { exception: from.exception } : {};
  const state = { step: "attached" as const, device, images, mode: delivery.mode, handles, ...exception };
  return { state, acts: [], records: [words.attached(state, delivery, now)] };
}
