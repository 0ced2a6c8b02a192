import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPlan } from "./document.ts";

describe("a plan as text", () => {
  it("is read as YAML or JSON", () => {
    const yaml = readPlan("waves:\n  - label: canary\n    soakSeconds: 60\n  - all: true\nguards: { silent: null }\n");
    expect(yaml).toMatchObject({
      ok: true,
      value: { guards: { silent: null }, waves: [{ label: "canary" }, { all: true }] },
    });
    expect(readPlan('{"waves": [{"all": true}]}').ok).toBe(true);
  });
  const wrong: [string, string, RegExp][] = [
    ["nothing", "", /^waves: /],
    ["no YAML", "waves: [", /line 1/],
    ["a wave that is wrong", "waves: [{ percent: 5 }]", /^waves\[0\]: the last wave must be all/],
    ["aliases", "a: &a [1]\nwaves: *a", /alias/i],
    ["a book", "x".repeat(70_000), /at most 65536/],
  ];
  it.each(wrong)("that is %s is refused in words", (_, text, words) => {
    const read = readPlan(text);
    expect(read.ok ? "" : read.error.join("\n")).toMatch(words);
  });
  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void readPlan(text)));
  });
});
