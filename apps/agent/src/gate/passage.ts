/** One device's way through the gate: state, event, rules and time in; the next state, what to do and what to write
 *  down out. Pure, so that it can be read as a table. live.ts writes down first, then does. */
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { deniedFile, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { GateStep, UsbAttachBody, UsbMode } from "@sallyport/shared/record/usb.ts";
import { deniedReason, OVERLAY_RULE } from "@sallyport/shared/usb/decide.ts";
import { isPinned, ruleFacts, type UsbDevice, type UsbPin } from "@sallyport/shared/usb/device.ts";
import { type Exception, exceptionFor, type Grounds, stickDigest } from "@sallyport/shared/usb/exception.ts";
import { judgeDevice } from "@sallyport/shared/usb/judge.ts";
import type { Circumstances } from "@sallyport/shared/usb/rules/match.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { atOnce } from "./in-turns.ts";
import { failed, lost, pulled, stopped } from "./passage-ends.ts";
import * as words from "./passage-words.ts";
import { listing } from "./records.ts";

/** A logical unit's image on the gate's volume. */
export type Image = { lun: number; bytes: number; sha256: string; file: string };
export type Listed = { files: number; manifest: string };
/** `handle` names one thing the guest has, chosen before it gets it, so that a crash in between leaves no doubt. */
export type Delivery = Omit<UsbAttachBody, "stick" | "handles" | "units">;

/** What the guest gets of what was scanned: never the stick itself, whose contents nothing can bind. */
export type Gift = Exclude<UsbMode, "device" | "dom0">;

export type GateState =
  | { step: "seen"; device: UsbDevice }
  | { step: "held"; device: UsbDevice }
  | { step: "classified"; device: UsbDevice; way: "read" | "direct" | "dom0"; handles: string[] }
  | { step: "copied"; device: UsbDevice; images: Image[] }
  | { step: "sealed"; device: UsbDevice; images: Image[] }
  | { step: "listed"; device: UsbDevice; images: Image[]; listed: Listed }
  | { step: "scanned"; device: UsbDevice; images: Image[]; listed: Listed; scans: ScanBody[] }
  | {
      step: "decided";
      device: UsbDevice;
      images: Image[];
      listed: Listed;
      scans: ScanBody[];
      /** `hold` waits for an exception, or for the stick to go. */
      verdict: "allow" | "hold";
      mode: Gift;
      grounds: Grounds;
      /** The statement that lets it pass; with its end the guest loses it. */
      exception?: string;
      handles: string[];
    }
  | { step: "attached"; device: UsbDevice; images: Image[]; mode: UsbMode; handles: string[]; exception?: string }
  | { step: "removed"; device: UsbDevice; after: GateStep }
  | { step: "refused"; device: UsbDevice; at: GateStep; reason: string };

export type GateEvent =
  | { event: "held" }
  | { event: "classify"; circumstances: Circumstances }
  | { event: "copied"; images: Image[] }
  | { event: "sealed" }
  | { event: "listed"; listed: Listed }
  | { event: "scanned"; scans: ScanBody[] }
  /** Also when exceptions have come or gone. */
  | { event: "decide"; exceptions: readonly Exception[]; floor: number }
  /** The sealed images once more, with definitions that came since. */
  | { event: "rescanned"; scans: ScanBody[]; exceptions: readonly Exception[]; floor: number }
  | { event: "planned"; handles: string[] }
  | { event: "attached"; delivery: Delivery }
  | { event: "pulled" }
  /** The guest has it no more, and nobody here took it. */
  | { event: "lost"; reason: string }
  /** With a verdict where a rule says from now on that it may not be where it is. */
  | { event: "failed"; reason: string; verdict?: { rule: string; about: "device" | "contents" } };

export type GateAct =
  | { act: "hold" | "classify" | "copy" | "seal" | "scan" | "decide" | "authorise" | "detach" | "discard" }
  /** Make what the guest gets, and choose its handles. */
  | { act: "deliver"; mode: UsbMode; grounds: Grounds }
  | { act: "attach"; mode: UsbMode; handles: string[] };

export type Rules = {
  policy: UsbSection;
  /** What the deny overlay blocks now. Pins stand before it: a keyboard for the pass phrase is not taken from afar. */
  denied: readonly OverlayEntry[];
  pins: readonly UsbPin[];
  workstation: string;
  hash: Hash;
};
export type Next = { state: GateState; acts: GateAct[]; records: Observation[] };

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

/** What a scan says against a file, not what it could not say: a scanner that has no time now takes nothing back. */
const FINDINGS = new Set(["infected", "denySha256", "denyTypes", OVERLAY_RULE]);

/** What the guest has goes with a new finding; what waits is decided again by what is known now. */
function rescanned(
  state: GateState,
  event: Extract<GateEvent, { event: "rescanned" }>,
  rules: Rules,
  now: number,
): Next {
  const { scans } = event;
  const isWaiting = state.step === "decided" && state.verdict === "hold";
  if (state.step !== "attached" && !isWaiting) return { state, acts: [], records: [] };
  const said = words.rescanned(state.device, scans, rules.hash, now);
  if (isWaiting) {
    // an exception is for what is listed now: newer definitions may find files where the first scan had none
    const listed = listedOf(scans, rules.hash);
    const next = decided({ ...state, listed, scans }, event, rules, now);
    const waits = next.state.step === "decided" && next.state.verdict === "hold";
    const isAsked = waits && listed.manifest === state.listed.manifest;
    return isAsked ? { ...next, records: said } : { ...next, records: [...said, ...next.records] };
  }
  const excepted = state.exception !== undefined;
  const found = scans.find(
    ({ verdict, rule = "" }) => FINDINGS.has(rule) && (verdict === "block" || (verdict === "hold" && !excepted)),
  );
  if (!found) return { state: { ...state }, acts: [], records: said };
  const reason = `scanned again with ${words.definitionsOf(found)}, and policy would ${found.verdict} what is on it: ${found.reason}`;
  const next = stopped(state, reason, { rule: found.rule ?? "", about: "contents" }, now);
  return { ...next, records: [...said, ...next.records] };
}

/** What exceptions are tied to. */
export const listedOf = (scans: readonly ScanBody[], hash: Hash): Listed => ({
  files: scans.reduce((sum, { manifest }) => sum + manifest.length, 0),
  manifest: stickDigest(
    hash,
    scans.map(({ manifest }) => atOnce(listing(manifest, hash)).digest),
  ),
});

type Stands<S extends GateState["step"]> = Extract<GateState, { step: S }>;

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

/** The worst verdict of all units is the stick's; where it waits, an exception for exactly this lets it pass. */
function decided(
  state: Omit<Stands<"scanned">, "step">,
  { exceptions, floor }: Pick<Extract<GateEvent, { event: "decide" }>, "exceptions" | "floor">,
  rules: Rules,
  now: number,
): Next {
  const { device, images, listed } = state;
  // an overlay that came after the scan; what its verdict says else is said of the stick as a whole
  const scans = state.scans.map((body) => deniedSince(body, rules));
  const worst = scans.find(({ verdict }) => verdict === "block") ?? scans.find(({ verdict }) => verdict === "hold");
  const mode: Gift = rules.policy.present;
  const base = { step: "decided" as const, device, images, listed, scans, mode, handles: [] };
  if (worst?.verdict === "block") {
    const next = failed({ ...base, verdict: "hold", grounds: "verdict" }, worst.reason, now);
    return { ...next, records: [...words.sum(device, scans, worst, now), ...next.records] };
  }
  const allow = (grounds: Grounds, records: Observation[], given = mode, exception?: string): Next => ({
    state: { ...base, verdict: "allow", mode: given, grounds, ...(exception === undefined ? {} : { exception }) },
    acts: [{ act: "deliver", mode: given, grounds }],
    records,
  });
  if (worst === undefined) {
    const grounds = scans.some(({ audited }) => audited !== undefined) ? "audit" : "verdict";
    return allow(grounds, [words.decided(device, listed, "allowed", now)]);
  }
  const exception = exceptionFor(
    exceptions,
    { descriptors: device.descriptors, device: device.hash, manifest: listed.manifest, images },
    { now, floor },
  );
  if (exception) {
    // what no one has approved whole is not handed over whole
    const given = exception.images === undefined ? "rebuild" : mode;
    return allow("exception", [words.excepted(device, exception, given, now)], given, exception.digest);
  }
  return {
    state: { ...base, verdict: "hold", grounds: "verdict" },
    acts: [],
    records: [
      ...words.sum(device, scans, worst, now),
      words.decided(device, listed, `held, and waits for a person: ${worst.reason}`, now),
      words.request(device, listed, mode === "image" ? images : undefined, worst, rules, now),
    ],
  };
}

function deniedSince(body: ScanBody, { denied }: Rules): ScanBody {
  const found = body.rule === OVERLAY_RULE ? undefined : deniedFile(denied, body);
  return found ? { ...body, verdict: "block", rule: OVERLAY_RULE, reason: deniedReason(found) } : body;
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
