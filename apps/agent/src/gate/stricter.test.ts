/** What rules take back that were changed while a device was with the guest, as a table. */
import { createHash } from "node:crypto";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { ScanFacts } from "@sallyport/shared/usb/scan.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GateState } from "./passage-state.ts";
import { Basis, contentsBasis, deviceBasis, stricterNow } from "./stricter.ts";

const AT = Date.parse("2026-11-24T08:46:00.000Z");
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const [bad, other] = ["b".repeat(64), "c".repeat(64)];
const device: UsbDevice = {
  ...{ port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: "60A4", name: "DataTraveler", maker: "Kingston" },
  ...{ interfaces: ["08:06:50"], interfaceCount: 1, speed: "480", connectType: "hotplug" },
  ...{ descriptors: "a".repeat(64), hash: "h", parentHash: "p" },
};
const scanner = { engine: "ClamAV 1.4.6", definitions: "27500", date: "2026-11-23T08:00:00.000Z" };
const facts = (more: Partial<ScanFacts> = {}): ScanFacts => ({
  manifest: [{ path: "f.exe", size: 1, md5: null, sha256: bad, type: "application/x-msdownload", finding: "clean" }],
  scanner,
  ...more,
});
const doubtful = facts({
  manifest: [{ path: "z", size: 1, md5: null, sha256: other, type: "application/zip", finding: "unscannable" }],
});
const beside = facts({ outside: [{ from: 512, bytes: 512, zeros: false }] });
const section = (policy: object) => UsbSection.parse(policy);

type More = { state?: Partial<GateState>; facts?: ScanFacts; holds?: ((sha256: string) => boolean) | undefined };
const attached = { step: "attached", device, images: [], mode: "rebuild", handles: ["xvdi"] } as const;
function taken(before: object, after: object, more: More = {}): string | undefined {
  const under = { policy: section(before), hash };
  const basis = Basis.parse(
    JSON.parse(JSON.stringify({ ...deviceBasis(under), contents: contentsBasis(under, [more.facts ?? facts()], AT) })),
  );
  const holds = "holds" in more ? more.holds : (sha256: string) => sha256 === bad;
  const state = { ...attached, ...more.state } as GateState;
  return stricterNow(state, basis, { policy: section(after), pins: [], hash }, { circumstances: {}, holds })?.reason;
}

describe("what the guest has", () => {
  const rows: [string, object, object, More, RegExp | undefined][] = [
    ["stays under the same rules", {}, {}, {}, undefined],
    [
      "goes when its device is blocked",
      {},
      { deviceRules: ["block id 0951:*"] },
      {},
      /blocked: a device rule says block/,
    ],
    ["goes when no rule allows it any more", {}, { deviceRules: ["allow id 1234:*"] }, {}, /no device rule matches/],
    ["stays when another rule allows it", {}, { deviceRules: ["allow id 0951:*"] }, {}, undefined],
    ["stays when it would be handed over itself now", {}, { directRules: ["allow"] }, {}, undefined],
    [
      "goes when the device itself is with the guest and would be read now",
      { directRules: ["allow"] },
      {},
      { state: { mode: "device" } },
      /to be read before the guest gets it/,
    ],
    [
      "goes when files of its type are denied",
      {},
      { denyTypes: ["application/*"] },
      {},
      /would block .* of a denied type/,
    ],
    ["stays when others are", {}, { denyTypes: ["image/*"] }, {}, undefined],
    ["goes when a file on it is denied", {}, { denySha256: [bad] }, {}, /would block the file b{64}/],
    ["not when another is", {}, { denySha256: [other] }, {}, undefined],
    ["nor when denied files are only recorded", {}, { denySha256: [bad], mode: "audit" }, {}, undefined],
    ["goes when nobody knows what is on it", {}, { denySha256: [bad] }, { holds: undefined }, /plug it in again/],
    [
      "not when one fewer is denied",
      { denySha256: [other, bad] },
      { denySha256: [other] },
      { holds: undefined },
      undefined,
    ],
    [
      "goes when what could not be scanned no longer passes",
      { unscannable: "allow" },
      {},
      { facts: doubtful },
      /would hold/,
    ],
    [
      "not when an exception lets it pass",
      {},
      { archives: { depth: 1 } },
      { facts: doubtful, state: { exception: "e" } as never },
      undefined,
    ],
    [
      "but when that is blocked",
      {},
      { unscannable: "block" },
      { facts: doubtful, state: { exception: "e" } as never },
      /would block/,
    ],
    ["goes when audit ends", { mode: "audit" }, { mode: "enforce" }, { facts: doubtful }, /would hold/],
    [
      "goes when it is the image and policy gives copies",
      { present: "image" },
      {},
      { state: { mode: "image" } },
      /not the image/,
    ],
    ["stays when it is a copy and policy gives images", {}, { present: "image" }, { facts: beside }, undefined],
    [
      "goes when it is an image with bytes beside partitions that no longer pass",
      { present: "image", outside: "allow" },
      { present: "image" },
      { facts: beside, state: { mode: "image" } },
      /would hold .*outside of its partitions/,
    ],
    [
      "stays when definitions are older by now, and something else was changed",
      { infected: "block" },
      { infected: "hold" },
      { facts: facts({ scanner: { ...scanner, date: "2026-11-12T08:00:00.000Z" } }) },
      undefined,
    ],
    [
      "goes when definitions must be newer than those it was scanned with",
      {},
      { definitionsDaysMax: 1 },
      {},
      /older than 1 days/,
    ],
    [
      "stays when it waits, and would wait",
      {},
      { unscannable: "hold", limits: { files: 9 } },
      { facts: doubtful, state: { step: "decided", verdict: "hold" } as never },
      undefined,
    ],
    [
      "is ended when it waits, and would be blocked",
      {},
      { unscannable: "block" },
      { facts: doubtful, state: { step: "decided", verdict: "hold" } as never },
      /would block/,
    ],
    ["is ended on its way", {}, { deviceRules: [] }, { state: { step: "copied" } as never }, /no device rule matches/],
  ];
  it.each(rows)("%s", (_, before, after, more, why) => {
    const found = taken(before, after, more);
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
    // the same rules again say nothing
    expect(taken(after, after, more)).toBeUndefined();
  });

  it("is judged by what was known when it was plugged in: neither clock nor chance takes it", () => {
    const rules = {
      deviceRules: ["allow if localtime(08:00-09:00)", "allow if random(0.5)", "allow if !rule-applied"],
    };
    const after = { ...rules, deviceRules: [...rules.deviceRules, "block id 9999:*"] };
    const ask = (circumstances: object) =>
      stricterNow(
        attached as unknown as GateState,
        deviceBasis({ policy: section(rules), hash }),
        { policy: section(after), pins: [], hash },
        { circumstances, holds: undefined },
      );
    expect(ask({ timeOfDay: 8.5 * 3600 })).toBeUndefined();
    expect(ask({ timeOfDay: 0, random: () => 0.2 })).toBeUndefined();
    expect(ask({ timeOfDay: 0, random: () => 0.7, sinceApplied: () => null })).toBeUndefined();
    expect(ask({ timeOfDay: 0, random: () => 0.7, sinceApplied: () => 3 })?.reason).toMatch(/no device rule matches/);
    const told: unknown[] = [];
    ask({ timeOfDay: 0, asked: (rule: unknown) => told.push(rule) });
    expect(told).toEqual([]);
  });

  it("that is pinned, or of which nothing is kept, is left alone", () => {
    const policy = section({ deviceRules: [] });
    const known = { circumstances: {}, holds: undefined };
    const basis = deviceBasis({ policy: section({}), hash });
    const state = { ...attached, mode: "dom0" } as unknown as GateState;
    expect(stricterNow(state, basis, { policy, pins: [device], hash }, known)).toBeUndefined();
    expect(stricterNow(state, undefined, { policy, pins: [], hash }, known)).toBeUndefined();
    expect(stricterNow(state, basis, { policy, pins: [], hash }, known)?.reason).toMatch(/no device rule/);
  });

  it("stays whatever loosens", () => {
    const loose = fc.record(
      {
        unscannable: fc.constant("allow"),
        infected: fc.constant("hold"),
        definitionsDaysMax: fc.constantFrom(null, 3_000),
        mode: fc.constant("audit"),
        present: fc.constant("image"),
        outside: fc.constant("allow"),
        directRules: fc.constant(["allow"]),
        deviceRules: fc.constantFrom(["allow"], ["allow with-interface one-of { 08:06:50 }", "block"]),
        denySha256: fc.constant([]),
        denyTypes: fc.constant([]),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(loose, fc.constantFrom(facts(), doubtful, beside), fc.boolean(), (after, has, known) => {
        const before = { unscannable: "allow", denySha256: [other], denyTypes: ["image/*"] };
        const holds = known ? () => false : undefined;
        expect(taken(before, { ...before, ...after }, { facts: has, holds })).toBeUndefined();
      }),
    );
  });
});
