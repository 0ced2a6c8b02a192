import { describe, expect, it } from "vitest";
import { IdsSection } from "./ids.ts";
import { absentSignatures, countRules, readRules, thresholdText, whyNotEnough } from "./ids-files.ts";

describe("the detector's threshold file", () => {
  it("suppresses a signature everywhere or for one address, and bounds how often one alerts", () => {
    const section = IdsSection.parse({
      suppress: [
        { signatureId: 5, reason: "known" },
        { signatureId: 6, address: "10.0.0.0/8", reason: "a\nnew line" },
      ],
      thresholds: [{ signatureId: 7, kind: "limit", count: 1, seconds: 60 }],
    });
    expect(thresholdText(section).split("\n").slice(1)).toEqual([
      "suppress gen_id 1, sig_id 5",
      "suppress gen_id 1, sig_id 6, track by_either, ip 10.0.0.0/8",
      "threshold gen_id 1, sig_id 7, type limit, track by_src, count 1, seconds 60",
      "",
    ]);
  });
  it("has nothing of a number that no signature can have: the detector would refuse the whole file", () => {
    const known = { signatureId: 2 ** 32 - 1, reason: "known" };
    const section = IdsSection.parse({
      suppress: [{ ...known, signatureId: 2 ** 32 }, known],
      thresholds: [{ signatureId: 2 ** 40, kind: "limit", count: 1, seconds: 60 }],
    });
    expect(thresholdText(section).split("\n").slice(1)).toEqual(["suppress gen_id 1, sig_id 4294967295", ""]);
  });
});

describe("a rule file", () => {
  it.each([
    ["", 0],
    ["# alert ip any any -> any any (sid:1;)\n\n", 0],
    ["alert ip any any -> any any (sid:1;)\r\nalert ip any any -> any any (sid:2;)", 2],
    ["alert ip any any -> any any ( \\\n  sid:1;)\n", 1],
    ["alert ip any any -> any any ( \\\r\n# \\\r\n  sid:1;)\r\n", 1],
    ["# alert ip any any -> any any \\\n\t( \\\n  sid:1;)\nalert ip any any -> any any (sid:2;)\n", 1],
    ["# a folder \\\n\n# another \\\r\n\r\n", 0],
    ["# a folder \\\nalert ip any any -> any any (sid:1;)\n", 1],
    ["\uFEFF# the detector takes this for a rule\n", 1],
    ["alert ip any any -> any any ( \\", 1],
  ])("%j has %i rules", (text, count) => {
    expect(countRules(text)).toBe(count);
  });
});

describe("what a section says of signatures", () => {
  const section = IdsSection.parse({
    suppress: [1, 2, 3, 4, 4].map((signatureId) => ({ signatureId, reason: "noise" })),
    thresholds: [{ signatureId: 5, kind: "limit", count: 1, seconds: 60 }],
  });
  it.each([
    ["alert ip any any -> any any (sid:1;)", [2, 3, 4, 5]],
    [
      'alert ip any any -> any any (msg:"a"; gid:1; sid: 2 ;) \r\nalert ip any any -> any any ( \\\n  sid:5;)',
      [1, 3, 4],
    ],
    ["#alert ip any any -> any any (sid:1;)\nalert ip any any -> any any (gid:3; sid:2;)", [1, 2, 3, 4, 5]],
  ])("of %j misses %j", (rules, absent) =>
    expect(absentSignatures(section, readRules(rules).signatures)).toEqual(absent),
  );
});

describe("a rule set of which some rules are not understood", () => {
  it.each([
    [{}, 50_000, 50_000, undefined],
    [{}, 50_000, 49_500, undefined],
    [{}, 50_000, 49_499, "49499 of 50000 rules are loaded, and more than one in a hundred is not"],
    [{}, 2, 1, "1 of 2 rules are loaded, and more than one in a hundred is not"],
    [{ strict: true }, 50_000, 49_999, "49999 of 50000 rules are loaded, and the policy wants all"],
    [{ strict: true }, 50_000, 50_000, undefined],
    [{}, 1, 2, "2 of 1 rules are loaded"],
  ])("%j, %i rules, %i loaded: %s", (section, count, loaded, why) => {
    expect(whyNotEnough(section, count, loaded)).toBe(why);
  });
});
