import { describe, expect, it } from "vitest";
import { summariseDiff } from "./diff/summary.ts";
import { diffPolicy } from "./diff.ts";
import { Policy } from "./policy.ts";

const words = (before: object, after: object) =>
  diffPolicy(Policy.parse(before), Policy.parse(after)).map(({ effect, words }) => `${effect}: ${words}`);
const summary = (before: object, after: object) => summariseDiff(diffPolicy(Policy.parse(before), Policy.parse(after)));

const rule = (name: string, verdict: string, to?: string) => ({ name, verdict, ...(to && { to }) });
const file = (name: string, digit: string) => ({ name, sha256: digit.repeat(64) });

describe("a diff in words", () => {
  it.each<[object, object, string[]]>([
    [{}, {}, []],
    [
      { usb: { unscannable: "block" } },
      { usb: { unscannable: "allow" } },
      ["looser: unscannable files: block \u2192 allow"],
    ],
    [
      { usb: { unscannable: "allow" } },
      { usb: { unscannable: "hold" } },
      ["tighter: unscannable files: allow \u2192 hold"],
    ],
    [{}, { usb: { outside: "allow" } }, ["looser: bytes outside of partitions in an image: hold \u2192 allow"]],
    [{ usb: { outside: "block" } }, {}, ["looser: bytes outside of partitions in an image: block \u2192 hold"]],
    [{}, { usb: { rescan: false } }, ["looser: sticks are scanned again when definitions change: true \u2192 false"]],
    [{ usb: { rescan: false } }, {}, ["tighter: sticks are scanned again when definitions change: false \u2192 true"]],
    [{ usb: { outside: "hold" } }, {}, ["other: bytes outside of partitions in an image: hold \u2192 hold"]],
    [{}, { network: { mode: "audit" } }, ["looser: mode: enforce \u2192 audit"]],
    [{}, { log: { linesPerSecond: 50 } }, ["looser: lines a second kept of a guest: 500 \u2192 50"]],
    [
      { ids: { rules: "a".repeat(64) } },
      { ids: { rules: "b".repeat(64) } },
      ["other: the detector's rule set: aaaaaaaaaaaa \u2192 bbbbbbbbbbbb"],
    ],
    [{}, { ids: { strict: true } }, ["tighter: every rule of the detector's set must be understood: no \u2192 yes"]],
    [{ ids: { strict: true } }, {}, ["looser: every rule of the detector's set must be understood: yes \u2192 no"]],
    [
      {},
      { ids: { homeNet: ["192.0.2.0/24"] } },
      ["other: the guests' side for the detector, besides their own addresses: none \u2192 192.0.2.0/24"],
    ],
    [
      {},
      { ids: { rules: "b".repeat(64) } },
      ["other: the detector's rule set: what each workstation has \u2192 bbbbbbbbbbbb"],
    ],
    [
      { usb: { definitions: [file("main.cvd", "a"), file("daily.cvd", "a"), file("site.hdb", "c")] } },
      { usb: { definitions: [file("main.cvd", "a"), file("daily.cvd", "b"), file("ours.fp", "d")] } },
      [
        "removed: definitions removed: site.hdb",
        "looser: definitions added: ours.fp, dddddddddddd",
        "other: definitions daily.cvd: aaaaaaaaaaaa \u2192 bbbbbbbbbbbb",
      ],
    ],
    [
      {},
      { usb: { definitions: [file("daily.cvd", "b")] } },
      [
        "other: the scanner's definitions: the policy's, instead of what each workstation has",
        "other: definitions daily.cvd: bbbbbbbbbbbb",
      ],
    ],
    [{}, { usb: { definitionsDaysMax: null } }, ["looser: days until definitions are stale: 14 \u2192 never"]],
    [
      { usb: { deviceRules: ["allow id 0001:0002", "block id 0003:0004"] } },
      { usb: { deviceRules: ["block id 0003:0004", "allow id 0001:0002"] } },
      ["tighter: device rules in another order: the first that matches wins"],
    ],
    [
      { usb: { deviceRules: ["block id 0003:0004", "allow"] } },
      { usb: { deviceRules: ["allow", "block id 0003:0004", "block id 0005:0006"] } },
      [
        "looser: device rules in another order: the first that matches wins, and one that allows comes before one that does not",
        "tighter: device rule added: block id 0005:0006",
      ],
    ],
    [
      { network: { rules: [rule("a", "allow", "192.0.2.1"), rule("b", "allow", "192.0.2.2"), rule("c", "block")] } },
      { network: { rules: [rule("b", "allow", "192.0.2.2"), rule("a", "allow", "192.0.2.1"), rule("c", "block")] } },
      ["other: network rules in another order: the first that matches wins"],
    ],
    [
      { usb: { directRules: ["block id 0003:0004", "allow id 0003:*"] } },
      { usb: { directRules: ["allow id 0003:*"] } },
      ["removed: direct-device rule removed: block id 0003:0004"],
    ],
    [
      { usb: { directRules: ["allow id 0003:*"] } },
      { usb: { directRules: ["block id 0003:0004"] } },
      ["tighter: direct-device rule removed: allow id 0003:*", "tighter: direct-device rule added: block id 0003:0004"],
    ],
    [{}, { usb: { present: "image" } }, ["looser: what the guest gets: rebuild \u2192 image"]],
    [{}, { usb: { limits: { seconds: 60 } } }, ["tighter: seconds for one medium at most: 7200 \u2192 60"]],
    [
      {},
      { ids: { thresholds: [{ signatureId: 7, kind: "limit", count: 1, seconds: 60 }] } },
      ['looser: alert threshold added: {"by":"source","count":1,"kind":"limit","seconds":60,"signatureId":7}'],
    ],
    [
      { disk: { tpm2: true, keyBitsLeast: 512, slotsLeast: 1, ciphers: ["aes-xts-plain64"] } },
      { disk: { keyBitsLeast: 256, slotsLeast: 2 } },
      [
        "looser: ciphers of the guest's volume: aes-xts-plain64 \u2192 any",
        "looser: bits of each key of the guest's volume at least: 512 \u2192 256",
        "looser: a key held by the TPM2 is required: true \u2192 not set",
        "tighter: keys of the guest's volume at least: 1 \u2192 2",
      ],
    ],
    [
      { disk: { tpm2Pcrs: "4+7+8+9", tpm2Pin: true } },
      { disk: { tpm2Pcrs: "7" } },
      [
        "looser: a key held by the TPM2 is bound to PCRs, at least: 4+7+8+9 \u2192 7",
        "looser: a PIN for a key held by the TPM2 is required: true \u2192 not set",
      ],
    ],
    [
      { disk: { tpm2Pcrs: "7" } },
      { disk: { tpm2Pcrs: "9+7" } },
      ["tighter: a key held by the TPM2 is bound to PCRs, at least: 7 \u2192 9+7"],
    ],
    [
      { disk: { ciphers: ["aes-xts-plain64"] } },
      { disk: { ciphers: ["serpent-xts-plain64", "aes-xts-plain64"] } },
      ["looser: ciphers of the guest's volume: aes-xts-plain64 \u2192 serpent-xts-plain64, aes-xts-plain64"],
    ],
    [
      { network: { rules: [{ name: "dns", verdict: "allow", protocol: "udp", ports: ["53"] }] } },
      { network: { rules: [{ name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] }] } },
      [
        'removed: network rule removed: "dns": allow udp out to anywhere, port 53',
        'looser: network rule added: "web": allow tcp out to anywhere, port 443',
      ],
    ],
  ])("of %j and %j", (before, after, wanted) => expect(words(before, after)).toEqual(wanted));

  it("puts what is lost and loosened first and counts it", () => {
    const before = {
      usb: { deviceRules: ["allow id 0001:0002", "block id 0003:0004"], unscannable: "block" },
      log: { burstLines: 10 },
    };
    const after = { usb: { deviceRules: [], unscannable: "allow" }, log: { burstLines: 20 } };
    expect(summary(before, after)).toBe(
      "2 device rules removed; 1 loosened: unscannable files: block \u2192 allow; 1 tightened.",
    );
    expect(diffPolicy(Policy.parse(before), Policy.parse(after)).map(({ effect }) => effect)).toEqual([
      "removed",
      "removed",
      "looser",
      "tighter",
    ]);
    const audits = { usb: { mode: "audit" }, network: { mode: "audit" }, ids: { mode: "audit" } };
    expect(summary({}, audits)).toBe("3 loosened: usb mode: enforce \u2192 audit and 2 more.");
    expect(summary({}, {})).toBe("Nothing changes.");
  });
});
