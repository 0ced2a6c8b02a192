import { expect, test } from "vitest";
import { z } from "zod";
import { issuesWords } from "./issue.ts";

const words = (schema: z.ZodType, value: unknown): string => {
  const read = schema.safeParse(value);
  return read.success ? "fits" : issuesWords(read.error);
};

test.each<[string, z.ZodType, unknown, string]>([
  ["a choice", z.enum(["block", "hold", "allow"]), "maybe", "one of block, hold or allow"],
  ["the one value there is", z.literal(1), 2, "it can only be 1"],
  ["a number that is too small", z.int().min(1), 0, "at least 1"],
  ["one that must be above", z.number().gt(1), 1, "more than 1"],
  ["a number that is too big", z.int().max(65_535), 99_999, "at most 65535"],
  ["a text that is empty", z.string().min(1), "", "it is empty"],
  ["a text that is too long", z.string().max(3), "four", "at most 3 characters"],
  ["a list with nothing in it", z.array(z.string()).min(1), [], "there must be one at least"],
  ["a list that is too long", z.array(z.string()).max(1), ["a", "b"], "at most 1 of them"],
  ["half a number", z.int(), 1.5, "a whole number is wanted here"],
  ["a text where a number is due", z.number(), "7", "a number is wanted here"],
  ["what is missing", z.object({ reason: z.string() }), {}, "reason: it is missing"],
  ["what nobody knows", z.strictObject({}), { foo: 1 }, "there is no such setting: foo"],
  ["a time", z.iso.datetime(), "yesterday", "a time reads 2026-11-24T08:46:00Z"],
  [
    "a place within",
    z.object({ given: z.object({ ports: z.array(z.int()) }) }),
    { given: { ports: [1, "x"] } },
    "given.ports[1]: a number is wanted here",
  ],
  ["either of two", z.union([z.string(), z.int()]), null, "nothing that may stand here"],
  ["a rule's own words", z.string().regex(/^x$/, "an x, and nothing else"), "y", "an x, and nothing else"],
])("%s is told in words", (_what, schema, value, told) => {
  expect(words(schema, value)).toBe(told);
});

test("each fault has a line", () => {
  expect(words(z.object({ a: z.string(), b: z.boolean() }), { b: "yes" })).toBe(
    "a: it is missing\nb: true or false is wanted here",
  );
});
