/** Our parser and printer beside Debian's usbguard-rule-parser. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRules } from "../../src/usb/rules/parse.ts";
import { printRule } from "../../src/usb/rules/print.ts";
import { OPERATORS } from "../../src/usb/rules/rule.ts";

const ORACLE = "/usr/bin/usbguard-rule-parser";
const absent = !existsSync(ORACLE);
if (absent && process.env.CI) throw new Error("usbguard-rule-parser missing: apt-get install usbguard");
if (absent) process.stderr.write("left out: usbguard-rule-parser missing: apt-get install usbguard\n");

/** Its printed form, or null where it refuses. */
function oracle(rule: string): string | null {
  const ran = spawnSync(ORACLE, [rule], { encoding: "utf8" });
  if (ran.status !== 0) return null;
  return /OUTPUT: (.*)$/m.exec(ran.stdout)?.[1] ?? null;
}

function ours(rule: string): string | null {
  const parsed = parseRules(rule);
  return parsed.ok ? parsed.value.map(printRule).join("\n") : null;
}

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: digits, maxLength: digits });
const id = fc.oneof(
  fc.tuple(hex(4), hex(4)).map((parts) => parts.join(":")),
  hex(4).map((vendor) => `${vendor}:*`),
  fc.constant("*:*"),
);
const iface = fc.oneof(
  fc.tuple(hex(2), hex(2), hex(2)).map((parts) => parts.join(":")),
  hex(2).map((part) => `${part}:*:*`),
  fc.tuple(hex(2), hex(2)).map((parts) => `${parts.join(":")}:*`),
);
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "a",
        "Z",
        " ",
        "é",
        "日",
        "#",
        "{",
        "}",
        "(",
        "'",
        "\t",
        '\\"',
        "\\\\",
        "\\x00",
        "\\xfF",
        "\\x7f",
      ),
      fc.string({ unit: "grapheme-ascii", maxLength: 1 }).filter((char) => char !== '"' && char !== "\\"),
    ),
    { maxLength: 8 },
  )
  .map((parts) => `"${parts.join("")}"`);
const cond = fc
  .tuple(
    fc.constantFrom("", "!"),
    fc.constantFrom(
      "true",
      "false",
      "random",
      "random(0.25)",
      "rule-applied",
      "rule-applied(5)",
      "rule-applied(1:20)",
      "rule-evaluated",
      "rule-evaluated(1:2:3)",
      "localtime(10:00)",
      "localtime(08:00-17:30)",
      "localtime(8:00:00-17:30:10)",
      "allowed-matches(with-interface one-of { 03:00:01 03:01:01 })",
      'allowed-matches(1234:* name "x")',
      "true(x)",
    ),
  )
  .map((parts) => parts.join(""));
const blank = fc.constantFrom(" ", "  ", "\t");

const setOf = (value: fc.Arbitrary<string>) =>
  fc.oneof(
    value,
    fc
      .tuple(
        fc.option(fc.constantFrom(...OPERATORS)),
        blank,
        fc.array(fc.tuple(blank, value), { minLength: 1, maxLength: 4 }),
        fc.constantFrom("", " "),
      )
      .map(
        ([operator, gap, values, tail]) =>
          `${operator ? `${operator}${gap}` : ""}{${values.map((pair) => pair.join("")).join("")}${tail}}`,
      ),
  );
const attribute = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(fc.constant(name), blank, setOf(value)).map((parts) => parts.join(""));
const attributes = [
  attribute("id", id),
  attribute("with-interface", iface),
  attribute("if", cond),
  ...["serial", "name", "hash", "parent-hash", "via-port", "with-connect-type", "label"].map((name) =>
    attribute(name, text),
  ),
];
const rule = fc
  .tuple(
    fc.constantFrom("allow", "block", "reject", "match", "device"),
    fc.shuffledSubarray(attributes).chain((some) => fc.tuple(...some)),
    blank,
    fc.constantFrom("", "", " # why", "#"),
  )
  .map(([target, some, gap, comment]) => [target, ...(some as string[])].join(gap) + comment);

describe.skipIf(absent)("the rule language beside usbguard-rule-parser", () => {
  it("takes what it takes and prints what it prints", () => {
    fc.assert(
      fc.property(rule, (given) => {
        const expected = oracle(given);
        expect(expected, given).not.toBeNull();
        expect(ours(given), given).toBe(expected);
      }),
      { numRuns: 150 },
    );
  });

  it("refuses what it refuses, when a rule is broken in one place", () => {
    let refused = 0;
    fc.assert(
      fc.property(
        rule,
        fc.nat(),
        fc.constantFrom("x", '"', "{", "}", "\\", "", "  ", "(", "!", ":", "*"),
        (given, place, put) => {
          const at = place % given.length;
          const broken = given.slice(0, at) + put + given.slice(at + 1);
          // newer versions, and we, let blanks around a rule be; its reading of times and numbers stops at what it knows
          if (broken !== broken.trim() || /localtime|random|rule-|[ \t]#/.test(broken)) return;
          const expected = oracle(broken);
          if (expected === null) refused += 1;
          expect(ours(broken), broken).toBe(expected);
        },
      ),
      { numRuns: 250 },
    );
    expect(refused).toBeGreaterThan(20);
  });

  it("prints nothing that it would not take back the same", () => {
    fc.assert(
      fc.property(rule, (given) => {
        const printed = ours(given)!;
        expect(ours(printed)).toBe(printed);
      }),
    );
  });
});
