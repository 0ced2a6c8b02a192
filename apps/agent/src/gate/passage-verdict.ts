/** What a scan found, under the rules in force → what becomes of the stick: at once, when exceptions come or go, and when
 *  its sealed images were scanned again. Pure. */
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { deniedFile } from "@sallyport/shared/policy/overlay.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { deniedReason, OVERLAY_RULE } from "@sallyport/shared/usb/decide.ts";
import { exceptionFor, type Grounds, stickDigest } from "@sallyport/shared/usb/exception.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { atOnce } from "./in-turns.ts";
import { failed, stopped } from "./passage-ends.ts";
import type { GateEvent, GateState, Gift, Listed, Next, Rules, Stands } from "./passage-state.ts";
import * as words from "./passage-words.ts";
import { listing } from "./records.ts";

/** What exceptions are tied to. */
export const listedOf = (scans: readonly ScanBody[], hash: Hash): Listed => ({
  files: scans.reduce((sum, { manifest }) => sum + manifest.length, 0),
  manifest: stickDigest(
    hash,
    scans.map(({ manifest }) => atOnce(listing(manifest, hash)).digest),
  ),
});

/** The worst verdict of all units is the stick's; where it waits, an exception for exactly this lets it pass. */
export function decided(
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

/** What a scan says against a file, not what it could not say: a scanner that has no time now takes nothing back. */
const FINDINGS = new Set(["infected", "denySha256", "denyTypes", OVERLAY_RULE]);

/** What the guest has goes with a new finding; what waits is decided again by what is known now. */
export function rescanned(
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
