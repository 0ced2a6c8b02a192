import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../test/drawn.ts";
import { decide } from "../usb/decide.ts";
import { judgeDevice } from "../usb/judge.ts";
import type { ScanFacts } from "../usb/scan.ts";
import {
  CarriedOverlay,
  Denied,
  deniedWords,
  OVERLAY_HOURS_MAX,
  type OverlayEntry,
  overlayFault,
  stillDenied,
} from "./overlay.ts";
import { UsbSection } from "./usb.ts";

const UNTIL = "2026-11-25T10:00:00.000Z";
const ISSUED = "2026-11-24T10:00:00.000Z";
const hex = (digit: string) => digit.repeat(64);
const entry = (what: unknown, more: Partial<OverlayEntry> = {}): OverlayEntry => ({
  ...{ id: "0123456789ab", until: UNTIL, reason: "seen at another site", what: Denied.parse(what) },
  ...more,
});

describe("what may be denied", () => {
  it.each([
    [{ kind: "file", sha256: hex("a") }, `sha256 ${hex("a")}`],
    [{ kind: "device", rule: "block id 0951:1666" }, "block id 0951:1666"],
    [{ kind: "device", rule: 'block serial "60A4"' }, 'block serial "60A4"'],
    [
      { kind: "device", rule: "block id one-of { 0951:1666 1234:* } with-interface 08:06:50" },
      "block id one-of { 0951:1666 1234:* } with-interface 08:06:50",
    ],
    [{ kind: "device", rule: 'block hash "abc="' }, 'block hash "abc="'],
    [{ kind: "address", to: "192.0.2.7" }, "192.0.2.7"],
    [{ kind: "address", to: "2001:db8::/32", protocol: "udp" }, "2001:db8::/32 udp"],
    [{ kind: "address", host: "bad.example", protocol: "tcp", port: 443 }, "bad.example tcp port 443"],
  ])("%j", (what, words) => {
    expect(deniedWords(Denied.parse(what))).toBe(words);
  });
  it.each<[unknown, RegExp]>([
    [{ kind: "file", sha256: "abc" }, /64 lower-case hex digits/],
    [{ kind: "device", rule: "allow id 0951:1666" }, /begins with block/],
    [{ kind: "device", rule: "block" }, /names an id, a serial or a hash/],
    [{ kind: "device", rule: "block id *:*" }, /names an id, a serial or a hash/],
    [{ kind: "device", rule: 'block serial ""' }, /names an id, a serial or a hash/],
    [{ kind: "device", rule: 'block name "x"' }, /names an id, a serial or a hash/],
    [{ kind: "device", rule: "block id none-of { 0951:1666 }" }, /one value or one-of/],
    [{ kind: "device", rule: "block id 0951:1666 if true" }, /no conditions/],
    [{ kind: "device", rule: 'block id 0951:1666 via-port "1-2"' }, /not via-port/],
    [{ kind: "device", rule: "block id 0951:1666\nblock id 1234:5678" }, /one rule/],
    [{ kind: "device", rule: "block id 0951" }, /column \d+/],
    [{ kind: "address", to: "0.0.0.0/0" }, /wider than \/8/],
    [{ kind: "address", to: "::/0" }, /wider than \/16/],
    [{ kind: "address", to: "192.0.2.7", host: "bad.example" }, /one of both/],
    [{ kind: "address" }, /one of both/],
    [{ kind: "address", to: "192.0.2.300" }, /./],
    [{ kind: "address", to: "192.0.2.7", port: 0 }, /./],
  ])("not %j", (what, words) => {
    const read = Denied.safeParse(what);
    expect(read.success ? "read" : JSON.stringify(read.error.issues.map(({ message }) => message))).toMatch(words);
  });
});

describe("an overlay", () => {
  const file = entry({ kind: "file", sha256: hex("a") });
  const end = (hours: number) => new Date(Date.parse(ISSUED) + hours * 3_600_000).toISOString();
  it.each<[string, string | undefined, OverlayEntry[], RegExp | undefined]>([
    ["that ends after its entries is none", UNTIL, [file], undefined],
    ["without entries lifts", UNTIL, [], undefined],
    ["that never ends is one", undefined, [], /never ends/],
    ["of more than thirty days is one", end(OVERLAY_HOURS_MAX + 1), [], /more than 30 days/],
    ["with an entry that outlives it is one", end(1), [file], /ends after the overlay/],
    ["with two entries of one id is one", UNTIL, [file, file], /one id/],
  ])("%s", (_, notAfter, entries, fault) => {
    const said = overlayFault({ issued: ISSUED, notAfter }, CarriedOverlay.parse({ entries }));
    if (fault) expect(said).toMatch(fault);
    else expect(said).toBeUndefined();
  });
  it("ends by the latest clock", () => {
    const at = (now: string, floor: string) =>
      stillDenied([file], { now: Date.parse(now), floor: Date.parse(floor) }).length;
    const later = "2026-11-25T10:00:00.001Z";
    expect([at(ISSUED, ISSUED), at(later, ISSUED), at(ISSUED, later), at(UNTIL, UNTIL)]).toEqual([1, 1, 1, 0]);
  });
});

describe("it can only ever deny", () => {
  const now = new Date("2026-11-24T12:00:00Z");
  const scanner = { engine: "ClamAV 1.4.6", definitions: "27500", date: "2026-11-23T08:00:00Z" };
  const hashes = ["a", "b", "c", "d"].map(hex);
  const drawnFile = fc.record({
    ...{ path: fc.constant("f"), size: fc.constant(1), md5: fc.constant(null) },
    sha256: fc.constantFrom(...hashes, null),
    type: fc.constantFrom("text/plain", "application/x-dosexec"),
    finding: fc.constantFrom("clean" as const, "infected" as const, "unscannable" as const),
  });
  const policy = fc
    .record({
      mode: fc.constantFrom("enforce", "audit"),
      infected: fc.constantFrom("block", "hold"),
      unscannable: fc.constantFrom("block", "hold", "allow"),
      denySha256: fc.subarray(hashes, { maxLength: 1 }),
      deviceRules: fc.constantFrom(["allow"], [], ["allow with-interface equals { 08:06:50 }"]),
      directRules: fc.constantFrom([], ["allow id 0951:1666"]),
    })
    .map((each) => UsbSection.parse(each));
  const overlay = fc.array(
    fc.oneof(
      fc.constantFrom(...hashes).map((each) => entry({ kind: "file", sha256: each })),
      fc
        .constantFrom("block id 0951:1666", 'block serial "60A4"', "block id 1234:*")
        .map((rule) => entry({ kind: "device", rule })),
      sha256.map((each) => entry({ kind: "file", sha256: each })),
    ),
    { maxLength: 3 },
  );

  it("contents: the verdict is block, or what it is without it", () => {
    const facts = fc.record({
      manifest: fc.array(drawnFile, { maxLength: 4 }),
      scanner: fc.constantFrom(scanner, null),
      image: fc.constantFrom(undefined, { sha256: hashes[3]!, size: 512 }),
    });
    let denied = 0;
    fc.assert(
      fc.property(facts, policy, overlay, ({ image, ...rest }, section, entries) => {
        const whole: ScanFacts = { ...rest, ...(image && { image }) };
        const without = decide(whole, section, now);
        const with_ = decide(whole, section, now, entries);
        const wanted = new Set(entries.flatMap(({ what }) => (what.kind === "file" ? [what.sha256 as string] : [])));
        const hit = [...whole.manifest.map((file) => file.sha256), image?.sha256].some(
          (each) => each && wanted.has(each),
        );
        if (hit) denied++;
        expect(hit ? [with_.verdict, with_.rule] : with_).toEqual(hit ? ["block", "overlay"] : without);
      }),
    );
    expect(denied).toBeGreaterThan(10);
  });

  it("devices: the judgement is block, or what it is without it", () => {
    const device = fc.record({
      ...{ id: fc.constantFrom("0951:1666", "1234:0001", "abcd:0001"), serial: fc.constantFrom("60A4", "") },
      ...{ name: fc.constant("n"), hash: fc.constant("h"), parentHash: fc.constant("p"), viaPort: fc.constant("1-2") },
      ...{ interfaces: fc.constantFrom(["08:06:50"], ["03:01:01"]), connectType: fc.constant("hotplug") },
    });
    fc.assert(
      fc.property(device, policy, overlay, (facts, section, entries) => {
        const without = judgeDevice(facts, section);
        const with_ = judgeDevice(facts, section, {}, entries);
        if (with_.rule === "overlay") expect(with_.outcome).toBe("block");
        else expect(with_).toEqual(without);
      }),
    );
  });
});
