import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsbSection } from "../../policy/usb.ts";
import { type Circumstances, type DeviceFacts, matchRules } from "./match.ts";
import { parseRules } from "./parse.ts";
import { printRule } from "./print.ts";
import { asksPast } from "./rule.ts";

const rules = (text: string) => {
  const parsed = parseRules(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
};

describe("parseRules", () => {
  it("passes over comments and blank lines and keeps line numbers", () => {
    const parsed = rules("# first\n\n  allow id 1234:5678 # why\r\n\treject\n");
    expect(parsed.map((rule) => [rule.line, printRule(rule)])).toEqual([
      [3, "allow id 1234:5678"],
      [4, "reject"],
    ]);
  });

  const broken: [string, number, number, RegExp][] = [
    ["alow", 1, 1, /begins with allow, block, reject/],
    ["rejectallow", 1, 7, /a blank is expected before "allow"/],
    ['allow\nblock nam "x"', 2, 7, /an attribute is expected/],
    ['allow name "x', 1, 12, /no closing quote/],
    ['allow name "a\\n"', 1, 14, /an escape is/],
    ["allow id 123:4567", 1, 10, /device id/],
    ["allow id *:1234", 1, 10, /any vendor's product/],
    ["allow with-interface 08:*:50", 1, 22, /protocol without its subclass/],
    ["allow with-interface { 08:06:50", 1, 22, /not closed/],
    ["allow with-interface { }", 1, 24, /an interface is/],
    ['allow name "a" name "b"', 1, 16, /name is there already/],
    ["allow if true if false", 1, 15, /conditions are there/],
    ["allow if sometimes", 1, 10, /no condition sometimes/],
    ["allow if localtime(25:00)", 1, 20, /localtime wants/],
    ["allow if random(often)", 1, 17, /random wants/],
    ['allow if allowed-matches(nam "x")', 1, 26, /an attribute is expected/],
    ['allow if allowed-matches(name "x"', 1, 25, /not closed/],
    ['allow serial "a"name "b"', 1, 17, /a blank is expected/],
    ['allow name one-of "a"', 1, 19, /\{ is expected after one-of/],
    ['allow name {"a""b"}', 1, 16, /a blank or \}/],
    ["allow id", 1, 9, /a value are expected/],
  ];
  for (const [text, line, column, message] of broken) {
    it(`says where and why: ${JSON.stringify(text)}`, () => {
      const parsed = parseRules(text);
      expect(parsed).toMatchObject({ ok: false, error: { line, column, message: expect.stringMatching(message) } });
    });
  }

  it("answers any text with rules or an error inside it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("", "allow ", "allow name ", "allow if ", "allow if allowed-matches("),
        (text, start) => {
          const parsed = parseRules(start + text);
          if (parsed.ok) return;
          const lines = (start + text).split(/\r?\n/);
          expect(parsed.error.line).toBeLessThanOrEqual(lines.length);
          expect(parsed.error.column).toBeGreaterThan(0);
          expect(parsed.error.column).toBeLessThanOrEqual(lines[parsed.error.line - 1]!.length + 1);
        },
      ),
    );
  });
});

describe("matchRules", () => {
  const stick: DeviceFacts = {
    id: "0781:5567",
    serial: "4C53",
    name: "Cruzer Blädé",
    hash: "h1",
    parentHash: "p1",
    viaPort: "1-2",
    interfaces: ["08:06:50"],
    connectType: "hotplug",
  };
  const rubberDucky: DeviceFacts = { ...stick, interfaces: ["08:06:50", "03:01:01"] };
  const decide = (text: string, device = stick, circumstances: Circumstances = {}) =>
    matchRules(rules(text), device, circumstances)?.target ?? null;

  const table: [string, string, DeviceFacts, string | null][] = [
    ["no rule decides nothing", "", stick, null],
    ["a bare target matches any device", "block", stick, "block"],
    ["the first match wins", "allow id 0781:*\nblock", stick, "allow"],
    ["match and device decide nothing", "match\ndevice\nreject", stick, "reject"],
    ["ids match whatever their case", "allow id 0781:5567", { ...stick, id: "0781:5567" }, "allow"],
    ["a vendor's other product does not match", "allow id 0781:0001", stick, null],
    ["names are bytes", 'allow name "Cruzer Bl\\xc3\\xa4d\\xc3\\xa9"', stick, "allow"],
    ["all attributes must match", 'allow id 0781:* serial "other"', stick, null],
    ["storage alone", "allow with-interface equals { 08:*:* }", stick, "allow"],
    ["not with a keyboard", "allow with-interface equals { 08:*:* }", rubberDucky, null],
    ["nor by naming storage twice", "allow with-interface equals { 08:06:50 08:06:50 }", rubberDucky, null],
    ["all-of lets more be there", "reject with-interface all-of { 08:*:* 03:*:* }", rubberDucky, "reject"],
    ["one-of wants one", "block with-interface one-of { 03:*:* e0:*:* }", rubberDucky, "block"],
    ["none-of wants none", "allow with-interface none-of { 03:*:* }", rubberDucky, null],
    ["match-all wants no others", "allow with-interface match-all { 08:*:* 09:*:* }", rubberDucky, null],
    ["equals takes any order", "allow with-interface { 03:01:01 08:06:50 }", rubberDucky, "allow"],
    ["equals-ordered does not", "allow with-interface equals-ordered { 03:01:01 08:06:50 }", rubberDucky, null],
    [
      "ports and parents count",
      'allow via-port "1-2" parent-hash "p1" with-connect-type "hotplug" hash "h1"',
      stick,
      "allow",
    ],
    ["labels do not", 'allow label "any"', stick, "allow"],
    ["a false condition passes on", "allow if false\nblock", stick, "block"],
    ["negation", "allow if !false", stick, "allow"],
    ["one-of conditions", "allow if one-of { false true }", stick, "allow"],
    ["none-of conditions", "allow if none-of { false false }", stick, "allow"],
    ["an unknown condition never allows", "allow if localtime(00:00-23:59:59)", stick, null],
    ["and never lets a block pass", "block if localtime(00:00-23:59:59)", stick, "block"],
    ["not by way of its negation either", "allow if !rule-applied", stick, null],
  ];
  for (const [name, text, device, target] of table) it(name, () => expect(decide(text, device)).toBe(target));

  it("asks the clock, the other devices, the past and chance", () => {
    const noon = { timeOfDay: 12 * 3600 };
    expect(decide("allow if localtime(08:00-17:00)", stick, noon)).toBe("allow");
    expect(decide("allow if localtime(12:01)", stick, noon)).toBe(null);
    const keyboards = "allow if !allowed-matches(with-interface one-of { 03:00:01 03:01:01 })";
    expect(decide(keyboards, stick, { allowed: [rubberDucky] })).toBe(null);
    expect(decide(keyboards, stick, { allowed: [stick] })).toBe("allow");
    expect(decide("allow if rule-applied(00:10)", stick, { sinceApplied: () => 599 })).toBe("allow");
    expect(decide("allow if rule-applied(00:10)", stick, { sinceApplied: () => 601 })).toBe(null);
    expect(decide("allow if !rule-evaluated", stick, { sinceEvaluated: () => null })).toBe("allow");
    expect(decide("allow if random(0.3)", stick, { random: () => 0.29 })).toBe("allow");
    expect(decide("allow if random(0.3)", stick, { random: () => 0.3 })).toBe(null);
  });
});

it("each rule that is asked is told, with whether it applied, up to the one that decides", () => {
  const facts: DeviceFacts = {
    ...{ id: "0781:5567", serial: "", name: "", hash: "", parentHash: "", viaPort: "1-2", connectType: "" },
    interfaces: ["08:06:50"],
  };
  const told: [number, boolean][] = [];
  const text = "allow id 1234:*\nallow if false\nmatch id 0781:*\nallow id 0781:*\nblock";
  matchRules(rules(text), facts, { asked: ({ line }, applied) => told.push([line, applied]) });
  expect(told).toEqual([
    [1, false],
    [2, false],
    [3, true],
    [4, true],
  ]);
  expect(rules("allow if rule-evaluated\nallow if random\nallow").map(asksPast)).toEqual([true, false, false]);
});

describe("the policy's device rules", () => {
  it("are read where the policy is, and a broken one is named", () => {
    expect(UsbSection.safeParse({ deviceRules: ["allow id 1234:*", "# note", "reject"] }).success).toBe(true);
    const parsed = UsbSection.safeParse({ deviceRules: ["reject", "allow id 12:34"] });
    expect(parsed.error?.issues[0]).toMatchObject({
      path: ["deviceRules", 1],
      message: expect.stringMatching(/^column 10: a device id/),
    });
  });
});
