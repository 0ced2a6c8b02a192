/** What Suricata 7.0.10 says, line for line. */
import { describe, expect, it } from "vitest";
import { failedRules, testedRules } from "./detector-words.ts";

const NIL = "Complete IP space negated. Rule address range is NIL.";
const notParsed = (sid: number, line: number) =>
  `Error: detect: error parsing signature "alert tcp !$HOME_NET any -> $HOME_NET 25 (msg:"x"; sid:${sid}; rev:1;)" from file /ids/aside/detector.rules at line ${line}`;
const counted = (loaded: number, failed: number) =>
  `Info: detect: 1 rule files processed. ${loaded} rules successfully loaded, ${failed} rules failed, 0`;

describe("the detector's test of its files", () => {
  it("counts the rules, and names the first that are not understood with why", () => {
    const stderr = [1, 2, 3, 4].flatMap((sid) => [`Error: detect: ${NIL}`, notParsed(sid, sid * 10)]).join("\n");
    expect(testedRules({ code: 1, stdout: counted(46, 4), stderr })).toEqual({
      ok: true,
      value: {
        loaded: 46,
        failed: 4,
        first: [`signature 1 in line 10: ${NIL}`, `signature 2 in line 20: ${NIL}`, `signature 3 in line 30: ${NIL}`],
      },
    });
    expect(testedRules({ code: 0, stdout: counted(50, 0), stderr: "" })).toMatchObject({ value: { failed: 0 } });
  });
  it("says that none is loaded where none is", () => {
    const stdout = "Warning: detect: 1 rule files specified, but no rules were loaded!";
    expect(testedRules({ code: 1, stdout, stderr: `E: detect: ${NIL}\n${notParsed(1, 1)}` })).toMatchObject({
      value: { loaded: 0, failed: 1 },
    });
  });
  it("refuses what it would not start with, in its words", () => {
    expect(
      testedRules({ code: 1, stdout: "Notice: suricata: This is Suricata", stderr: "Error: conf: no such file\n" }),
    ).toEqual({ ok: false, error: "conf: no such file" });
    expect(testedRules({ code: 1, stdout: counted(5, 0), stderr: "E: af-packet: no xenbr0\n" })).toMatchObject({
      ok: false,
    });
  });
});

it("names the rules that a running detector could not load", () => {
  const rule = { tenant_id: 0, rule: 'alert ip any any -> any any (msg:"x"; sid:7;)', filename: "f", line: 3 };
  expect(failedRules([rule, { ...rule, error: "why" }])).toEqual([
    "signature 7 in line 3",
    "signature 7 in line 3: why",
  ]);
  expect(failedRules("nothing of the kind")).toEqual([]);
});
