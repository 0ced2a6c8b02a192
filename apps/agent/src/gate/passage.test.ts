/** A device's way through the gate, as a table: where it stands, what happens, where it stands then and what is done. */
import { createHash } from "node:crypto";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import type { ManifestFile } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deniedHere } from "./denied.ts";
import { appeared, step } from "./passage.ts";
import type { GateEvent, GateState, Next, Rules } from "./passage-state.ts";
import { listedOf } from "./passage-verdict.ts";

const NOW = Date.parse("2026-11-24T08:46:00.000Z");
const device: UsbDevice = {
  ...{ port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: "60A4", name: "DataTraveler", maker: "Kingston" },
  ...{ interfaces: ["08:06:50"], interfaceCount: 1, speed: "480", connectType: "hotplug" },
  ...{ descriptors: "a".repeat(64), hash: "h", parentHash: "p" },
};
const rules = (policy: object = {}, pins: Rules["pins"] = [], denied: Rules["denied"] = []): Rules => ({
  policy: UsbSection.parse(policy),
  denied,
  pins,
  workstation: "w",
  hash: (bytes) => createHash("sha256").update(bytes).digest(),
});
const until = "2026-11-25T00:00:00.000Z";
const denyDevice: OverlayEntry = {
  ...{ id: "0123456789ab", until, reason: "a bad lot" },
  what: { kind: "device", rule: "block id 0951:1666" },
};
const denyFile = (sha256: string): OverlayEntry => ({
  ...{ id: "ba9876543210", until, reason: "ransomware" },
  what: { kind: "file", sha256: sha256 as never },
});
const images = [{ lun: 0, bytes: 512, sha256: "b".repeat(64), file: "x.img" }];
const listed = { files: 1, manifest: "c".repeat(64) };
const body = (verdict: ScanBody["verdict"], more: Partial<ScanBody> = {}): ScanBody => ({
  ...{ verdict, reason: `says ${verdict}`, rule: verdict, manifest: [], scanner: null, ...more },
});
const file = (sha256: string): ManifestFile => ({
  ...{ path: "f", size: 1, md5: null, sha256, type: "text/plain", finding: "clean" },
});
const exception: Exception = {
  workstation: "w" as Exception["workstation"],
  descriptors: device.descriptors as Exception["descriptors"],
  device: device.hash,
  manifest: listed.manifest as Exception["manifest"],
  reason: "seen",
  digest: "d".repeat(64),
  notAfter: "2026-11-25T00:00:00.000Z",
};
const at = {
  seen: { step: "seen", device },
  held: { step: "held", device },
  read: { step: "classified", device, way: "read", handles: [] },
  direct: { step: "classified", device, way: "direct", handles: [] },
  copied: { step: "copied", device, images },
  sealed: { step: "sealed", device, images },
  listed: { step: "listed", device, images, listed },
  clean: { step: "scanned", device, images, listed, scans: [body("allow")] },
  audited: { step: "scanned", device, images, listed, scans: [body("allow", { audited: "block" })] },
  doubtful: { step: "scanned", device, images, listed, scans: [body("allow"), body("hold")] },
  infected: { step: "scanned", device, images, listed, scans: [body("hold"), body("block")] },
  waiting: {
    ...{ step: "decided", device, images, listed, scans: [body("hold")] },
    ...{ verdict: "hold", mode: "rebuild", grounds: "verdict", handles: [] },
  },
  allowed: {
    ...{ step: "decided", device, images, listed, scans: [body("allow")] },
    ...{ verdict: "allow", mode: "image", grounds: "verdict", handles: ["xvdi"] },
  },
  attached: { step: "attached", device, images, mode: "image", handles: ["xvdi"] },
  refused: { step: "refused", device, at: "held", reason: "no" },
  removed: { step: "removed", device, after: "attached" },
} as const satisfies Record<string, GateState>;

const classify: GateEvent = { event: "classify", circumstances: {} };
const decide = (...exceptions: Exception[]): GateEvent => ({ event: "decide", exceptions, floor: NOW });
const rescan = (scan: ScanBody): GateEvent => ({ event: "rescanned", scans: [scan], exceptions: [], floor: NOW });
const gave: GateEvent = { event: "attached", delivery: { mode: "image", verified: true } };

/** `decided allow: deliver rebuild verdict; usb.step` */
function inWords({ state, acts, records }: Next): string {
  const more = state.step === "decided" ? ` ${state.verdict}` : state.step === "classified" ? ` ${state.way}` : "";
  const done = acts.map((act) => [act.act, "mode" in act ? act.mode : "", "grounds" in act ? act.grounds : ""]);
  const said = done.map((words) => words.filter(Boolean).join(" ")).join(", ") || "nothing";
  return `${state.step}${more}: ${said}; ${records.map(({ kind }) => kind).join(" ") || "no record"}`;
}

describe("a device's way", () => {
  const rows: [string, GateState, GateEvent, Rules, string][] = [
    ["is held first", at.seen, { event: "held" }, rules(), "held: classify; usb.step"],
    ["a stick may be read", at.held, classify, rules(), "classified read: copy; usb.step"],
    [
      "what no rule allows ends",
      at.held,
      classify,
      rules({ deviceRules: [] }),
      "refused: hold, detach, discard; usb.verdict usb.step",
    ],
    [
      "a direct rule hands it on",
      at.held,
      classify,
      rules({ directRules: ["allow"] }),
      "classified direct: deliver device verdict; usb.step",
    ],
    [
      "a pin lets it in",
      at.held,
      classify,
      rules({ deviceRules: [] }, [device]),
      "classified dom0: authorise; usb.step",
    ],
    [
      "a pin of other content does not",
      at.held,
      classify,
      rules({ deviceRules: [] }, [{ ...device, descriptors: "0" }]),
      "refused: hold, detach, discard; usb.verdict usb.step",
    ],
    [
      "what an overlay denies ends, whatever a rule hands on",
      at.held,
      classify,
      rules({ directRules: ["allow"] }, [], [denyDevice]),
      "refused: hold, detach, discard; usb.verdict usb.step",
    ],
    [
      "a pin stands before it",
      at.held,
      classify,
      rules({}, [device], [denyDevice]),
      "classified dom0: authorise; usb.step",
    ],
    ["read once, it is sealed", at.read, { event: "copied", images }, rules(), "copied: seal; usb.step"],
    ["sealed, it is scanned", at.copied, { event: "sealed" }, rules(), "sealed: scan; usb.step"],
    ["it is listed", at.sealed, { event: "listed", listed }, rules(), "listed: nothing; usb.step"],
    [
      "and scanned",
      at.listed,
      { event: "scanned", scans: [body("allow")] },
      rules(),
      "scanned: decide; usb.scan usb.step",
    ],
    ["clean passes", at.clean, decide(), rules(), "decided allow: deliver rebuild verdict; usb.step"],
    [
      "as policy gives it",
      at.clean,
      decide(),
      rules({ present: "image" }),
      "decided allow: deliver image verdict; usb.step",
    ],
    ["audited passes as such", at.audited, decide(), rules(), "decided allow: deliver rebuild audit; usb.step"],
    [
      "one doubtful unit holds all",
      at.doubtful,
      decide(),
      rules(),
      "decided hold: nothing; usb.verdict usb.step usb.request",
    ],
    [
      "one infected unit ends all",
      at.infected,
      decide(exception),
      rules(),
      "refused: hold, detach, discard; usb.verdict usb.step",
    ],
    [
      "an exception lets it pass",
      at.doubtful,
      decide(exception),
      rules(),
      "decided allow: deliver rebuild exception; usb.verdict",
    ],
    ["also later", at.waiting, decide(exception), rules(), "decided allow: deliver rebuild exception; usb.verdict"],
    [
      "one that binds the files alone gives a copy of them, where policy would give the image",
      at.doubtful,
      decide(exception),
      rules({ present: "image" }),
      "decided allow: deliver rebuild exception; usb.verdict",
    ],
    [
      "one that binds the image gives it",
      at.doubtful,
      decide({ ...exception, images: [{ bytes: 512, sha256: "b".repeat(64) as never }] }),
      rules({ present: "image" }),
      "decided allow: deliver image exception; usb.verdict",
    ],
    [
      "one that binds another does not hold",
      at.waiting,
      decide({ ...exception, images: [{ bytes: 512, sha256: "c".repeat(64) as never }] }),
      rules({ present: "image" }),
      "decided hold: nothing; no record",
    ],
    [
      "not one that ended",
      at.waiting,
      decide({ ...exception, notAfter: "2026-11-24T08:00:00.000Z" }),
      rules(),
      "decided hold: nothing; no record",
    ],
    [
      "a hash that is denied since the scan ends it",
      { ...at.clean, scans: [body("allow", { manifest: [file("e".repeat(64))] })] },
      decide(),
      rules({ mode: "audit" }, [], [denyFile("e".repeat(64))]),
      "refused: hold, detach, discard; usb.step",
    ],
    [
      "also where it waits, and no exception helps",
      { ...at.waiting, scans: [body("hold", { manifest: [file("e".repeat(64))] })] },
      decide(exception),
      rules({}, [], [denyFile("e".repeat(64))]),
      "refused: hold, detach, discard; usb.step",
    ],
    [
      "the handle is chosen first",
      at.allowed,
      { event: "planned", handles: ["xvdi"] },
      rules(),
      "decided allow: attach image; no record",
    ],
    ["the guest has it", at.allowed, gave, rules(), "attached: nothing; usb.attach"],
    ["who waits gets nothing", at.waiting, gave, rules(), "decided hold: nothing; no record"],
    ["pulled out of the guest", at.attached, { event: "pulled" }, rules(), "removed: detach, discard; usb.removed"],
    ["pulled out while it waited", at.waiting, { event: "pulled" }, rules(), "removed: detach, discard; usb.removed"],
    [
      "pulled out in the middle",
      at.sealed,
      { event: "pulled" },
      rules(),
      "removed: detach, discard; usb.step usb.removed",
    ],
    ["a refused one leaves", at.refused, { event: "pulled" }, rules(), "removed: detach, discard; usb.removed"],
    [
      "what the host refuses ends it",
      at.copied,
      { event: "failed", reason: "disk full" },
      rules(),
      "refused: hold, detach, discard; usb.step",
    ],
    [
      "an ended exception ends it",
      at.attached,
      { event: "failed", reason: "ended" },
      rules(),
      "refused: hold, detach, discard; usb.step",
    ],
    [
      "what the overlay denies from now on is taken from the guest, and is a verdict",
      at.attached,
      { event: "failed", reason: "denied", verdict: { rule: "overlay", about: "device" } },
      rules(),
      "refused: hold, detach, discard; usb.verdict usb.step",
    ],
    [
      "once",
      at.refused,
      { event: "failed", reason: "denied", verdict: { rule: "overlay", about: "device" } },
      rules(),
      "refused: nothing; no record",
    ],
    [
      "what newer definitions find is taken from the guest, with the scan on record before it",
      at.attached,
      rescan(body("block", { rule: "infected" })),
      rules(),
      "refused: hold, detach, discard; usb.scan usb.step usb.verdict usb.step",
    ],
    [
      "what a scanner has no time for is not",
      at.attached,
      rescan(body("hold", { rule: "unscannable" })),
      rules(),
      "attached: nothing; usb.scan usb.step",
    ],
    [
      "nor what an exception lets pass, unless it is blocked",
      { ...at.attached, exception: exception.digest },
      rescan(body("hold", { rule: "infected" })),
      rules(),
      "attached: nothing; usb.scan usb.step",
    ],
    [
      "what waits and is clean by newer definitions goes on",
      at.waiting,
      rescan(body("allow")),
      rules(),
      "decided allow: deliver rebuild verdict; usb.scan usb.step usb.step",
    ],
    [
      "what waits on waits",
      { ...at.waiting, listed: listedOf([body("hold")], rules().hash) },
      rescan(body("hold")),
      rules(),
      "decided hold: nothing; usb.scan usb.step",
    ],
    [
      "where it is listed otherwise, that is asked for",
      at.waiting,
      rescan(body("hold", { manifest: [file("9".repeat(64))] })),
      rules(),
      "decided hold: nothing; usb.scan usb.step usb.step usb.request",
    ],
    [
      "what waits and is infected by newer definitions ends",
      at.waiting,
      rescan(body("block")),
      rules(),
      "refused: hold, detach, discard; usb.scan usb.step usb.step",
    ],
    ["what is on its way is not its business", at.sealed, rescan(body("block")), rules(), "sealed: nothing; no record"],
    ["refused is final", at.refused, classify, rules(), "refused: nothing; no record"],
    ["removed is final", at.removed, { event: "failed", reason: "late" }, rules(), "removed: nothing; no record"],
  ];
  it.each(rows)("%s", (_, state, event, by, expected) => {
    expect(inWords(step(state, event, by, NOW))).toBe(expected);
  });

  it("is taken from the guest for what is denied since: itself, its image, a file on it, or what nobody knows", () => {
    const hash = "e".repeat(64);
    const asked = (denied: OverlayEntry[], state: GateState = at.attached, holds?: (sha256: string) => boolean) =>
      deniedHere(state, holds, { denied, pins: [] });
    const empty = () => false;
    expect(asked([denyDevice], at.attached, empty)).toMatch(/denied until .* by block id 0951:1666 .*: a bad lot/);
    expect(asked([denyFile("b".repeat(64))], at.attached, empty)).toMatch(/the image as a whole is denied/);
    expect(asked([denyFile(hash)], at.attached, (each) => each === hash)).toMatch(/it holds the file e+, denied/);
    expect(asked([denyFile(hash)], at.attached, empty)).toBeUndefined();
    expect(asked([denyFile(hash)])).toMatch(/not known any more/);
    expect([asked([]), asked([denyDevice], at.refused), asked([denyDevice], at.removed)]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
    expect(deniedHere(at.attached, empty, { denied: [denyDevice], pins: [device] })).toBeUndefined();
  });

  it("is let pass by an exception for what the newest scan listed, not for what the first one did", () => {
    const scanOf = (...hashes: string[]) => body("hold", { manifest: hashes.map((each) => file(each.repeat(64))) });
    const [first, second] = [scanOf("1"), scanOf("1", "2")];
    const listedIn = (scan: ScanBody) => listedOf([scan], rules().hash);
    const allow = (scan: ScanBody): Exception => ({
      ...exception,
      manifest: listedIn(scan).manifest as Exception["manifest"],
    });
    const waiting: GateState = { ...at.waiting, listed: listedIn(first), scans: [first] };
    const again = step(waiting, rescan(second), rules(), NOW);
    expect(again.records.at(-1)?.body).toMatchObject({ manifest: allow(second).manifest, files: 2 });
    expect(inWords(step(again.state, decide(allow(first)), rules(), NOW))).toBe("decided hold: nothing; no record");
    expect(inWords(step(again.state, decide(allow(second)), rules(), NOW))).toMatch(/^decided allow: deliver/);
    const given = step(waiting, { ...rescan(second), exceptions: [allow(first)] } as GateEvent, rules(), NOW);
    expect(inWords(given)).toMatch(/^decided hold: nothing/);
  });

  it("begins held, with all that it claims on record", () => {
    expect(inWords(appeared(device, NOW))).toBe("seen: hold; usb.device");
  });

  it("leads to the guest only through every step, whatever happens in whatever order", () => {
    const event = fc.constantFrom<GateEvent>(
      { event: "held" },
      classify,
      { event: "copied", images },
      { event: "sealed" },
      { event: "listed", listed },
      { event: "scanned", scans: [body("allow")] },
      { event: "scanned", scans: [body("hold")] },
      { event: "scanned", scans: [body("block")] },
      decide(),
      decide(exception),
      { event: "planned", handles: ["xvdi"] },
      gave,
      { event: "pulled" },
      { event: "failed", reason: "no" },
    );
    const order = ["seen", "held", "classified", "copied", "sealed", "listed", "scanned", "decided", "attached"];
    const straight: GateEvent[] = [
      { event: "held" },
      classify,
      { event: "copied", images },
      { event: "sealed" },
      { event: "listed", listed },
      { event: "scanned", scans: [body("allow")] },
      decide(),
      { event: "planned", handles: ["xvdi"] },
      gave,
    ];
    const strewn = fc.tuple(
      ...straight.map((each) => fc.array(event, { maxLength: 2 }).map((some) => [...some, each])),
    );
    let through = 0;
    fc.assert(
      fc.property(fc.oneof(strewn, fc.tuple(fc.array(event, { maxLength: 60 }))), (events) => {
        let state: GateState = { step: "seen", device };
        const way: string[] = ["seen"];
        for (const each of events.flat()) {
          const next = step(state, each, rules(), NOW);
          if (next.state.step !== state.step) way.push(next.state.step);
          state = next.state;
        }
        const before = way.indexOf("attached");
        if (before < 0) return;
        through += 1;
        expect(way.slice(0, before + 1)).toEqual(order);
      }),
      { numRuns: 3_000 },
    );
    expect(through).toBeGreaterThan(10);
  });
});
