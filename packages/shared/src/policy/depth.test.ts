import fc from "fast-check";
import { expect, test } from "vitest";
import { DEPTH_MAX, POLICY_CHARS_MAX } from "./depth.ts";
import { readPolicy } from "./document.ts";
import { readUsbPolicy } from "./usb-text.ts";

const first = (text: string): string => {
  const read = readPolicy(text);
  if (read.ok) return "valid";
  const { line, column, message } = read.faults[0]!;
  return `${line}:${column} ${message}`;
};
const deep = /^\d+:\d+ nested deeper than 32 levels$/;
const block = (levels: number) => Array.from({ length: levels }, (_, level) => `${" ".repeat(level)}a:`).join("\n");

test.each([
  ["JSON lists", "[".repeat(100_000)],
  ["JSON lists that are closed", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ["JSON objects", '{"a":'.repeat(60_000)],
  ["flow maps and lists by turns", "{a: [".repeat(60_000)],
  ["block maps", block(900)],
  ["block lists on one line", "- ".repeat(100_000)],
  ["keys of keys", "? ".repeat(100_000)],
  ["lists in a section", `usb:\n  deviceRules: ${"[".repeat(50_000)}`],
])("%s too deep are told with their line before anything recursive reads them", (_name, text) => {
  expect(first(text)).toMatch(deep);
  expect(readUsbPolicy(text)).toMatchObject({ ok: false, error: expect.stringMatching(/nested deeper/) });
});

test("what is as deep as the bound is read, and refused for what it is", () => {
  expect(first(`${"[".repeat(DEPTH_MAX)}${"]".repeat(DEPTH_MAX)}`)).not.toMatch(deep);
  expect(first(block(DEPTH_MAX))).not.toMatch(deep);
  expect(first(`${"[".repeat(DEPTH_MAX + 3)}`)).toMatch(deep);
});

test("brackets in a string, in a comment or in a block text are no depth", () => {
  expect(first(`# ${"[".repeat(5_000)}\nlog:\n  linesPerSecond: 5\n`)).toBe("valid");
  expect(first(`"${"[".repeat(900)}": 1\n`)).toMatch(/there is no such setting/);
});

const laughs = `a: &a [x, x, x, x, x, x, x, x, x, x]\n${[..."bcdefghij"]
  .map((name, at) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghij"[at]}`).join(", ")}]`)
  .join("\n")}\n`;

test.each([
  ["a page that unfolds to a library", laughs, /^2:8 its aliases unfold to more than 200000 values$/],
  ["an alias inside what it names", "usb: &a\n  deviceRules: [*a]\n", /^2:17 \*a stands inside what it names$/],
  ["an alias of nothing", "usb: *none\n", /none/],
])("%s is told with its line", (_name, text, wanted) => expect(first(text)).toMatch(wanted));

test("aliases within the bounds mean what they name", () => {
  const rules = "log: &l\n  linesPerSecond: 5\n";
  expect(first(rules)).toBe("valid");
  expect(readPolicy("usb:\n  deviceRules: &r ['block']\n  directRules: *r\n")).toEqual(
    readPolicy("usb:\n  deviceRules: ['block']\n  directRules: ['block']\n"),
  );
});

test("a document that is too long is told by its length", () => {
  expect(first(" ".repeat(POLICY_CHARS_MAX + 1))).toMatch(/characters; at most/);
  expect(readUsbPolicy("#".repeat(POLICY_CHARS_MAX + 1)).ok).toBe(false);
});

test("no text of brackets, dashes and anchors makes the reader throw", () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    "- ",
    "? ",
    ": ",
    "a",
    "\n",
    "  ",
    "&a ",
    "*a",
    '"',
    "'",
    "|\n",
    "#",
    ",",
    "<<: ",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      const read = readPolicy(pieces.join(""));
      if (!read.ok) expect(read.faults.length).toBeGreaterThan(0);
      readUsbPolicy(pieces.join(""));
    }),
    { numRuns: 500 },
  );
});
