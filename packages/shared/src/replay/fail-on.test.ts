import { describe, expect, it } from "vitest";
import { Policy } from "../policy/policy.ts";
import { holds, readCondition } from "./fail-on.ts";
import { Replay } from "./replay.ts";
import { ReplayResult } from "./result.ts";
import { resultText } from "./words.ts";

const result = { ...new Replay({ before: Policy.parse({}), after: Policy.parse({}) }).result(), waiting: 3 };
result.flips = { ...result.flips, "new-blocks": 21, "new-holds": 1 };

describe("a condition", () => {
  it.each([
    ["new-blocks > 20", true],
    ["new-blocks>21", false],
    ["new-blocks >= 21", true],
    ["new-holds < 1", false],
    ["new-allows = 0", true],
    ["flips == 22", true],
    ["unknown <= 0", true],
    ["decisions < 1", true],
    ["waiting > 2", true],
    ["waiting > 3", false],
  ])("%s", (text, expected) => {
    const read = readCondition(text);
    expect(read.ok && holds(read.value, result)).toBe(expected);
  });
  it.each([["new-blocks"], ["blocks > 1"], ["new-blocks > -1"], ["new-blocks > x"], [""]])("not %j", (text) => {
    expect(readCondition(text).ok).toBe(false);
  });
});

it("a result reads the same from JSON, and says in words that nothing is recorded", () => {
  expect(ReplayResult.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
  expect(resultText(result)).toContain("Nothing is recorded");
});
