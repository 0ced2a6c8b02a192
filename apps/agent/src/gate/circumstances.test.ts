import { createHash } from "node:crypto";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { type DeviceFacts, matchRules } from "@sallyport/shared/usb/rules/match.ts";
import { parseRules } from "@sallyport/shared/usb/rules/parse.ts";
import { describe, expect, it } from "vitest";
import { rulePast } from "./circumstances.ts";

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const START = Date.parse("2026-11-24T08:46:00.000Z");
const SECOND = 1_000;
const device: DeviceFacts = {
  ...{ id: "0951:1666", serial: "", name: "", hash: "", parentHash: "", viaPort: "1-2", connectType: "" },
  interfaces: ["08:06:50"],
};

/** Plugs it in at each of these seconds; what each time says. */
function asked(lines: string[], seconds: number[], more: { restartAt?: number } = {}): (string | null)[] {
  const parsed = parseRules(lines.join("\n"));
  if (!parsed.ok) throw new Error(parsed.error.message);
  const policy = UsbSection.parse({ deviceRules: lines });
  let past = rulePast(hash, undefined);
  let kept: Json | undefined;
  return seconds.map((second) => {
    if (second === more.restartAt) past = rulePast(hash, kept);
    const { target } = matchRules(
      parsed.value,
      device,
      past.circumstances(past.moment(START + second * SECOND, [])),
    ) ?? {
      target: null,
    };
    kept = JSON.parse(JSON.stringify(past.changed(policy) ?? kept ?? null)) ?? undefined;
    return target;
  });
}

describe("conditions, live", () => {
  it("rule-applied knows whether and when the rule applied before, also over a restart", () => {
    const once = ["allow if !rule-applied"];
    expect(asked(once, [0, 1, 90_000])).toEqual(["allow", null, null]);
    expect(asked(once, [0, 1], { restartAt: 1 })).toEqual(["allow", null]);
    expect(asked(["allow if !rule-applied(00:01:00)"], [0, 59, 61, 62])).toEqual(["allow", null, "allow", null]);
    expect(asked(["block if rule-applied", "allow"], [0, 1])).toEqual(["allow", "allow"]);
  });
  it("rule-evaluated knows when it was asked, whatever it said", () => {
    expect(asked(["allow if rule-evaluated"], [0, 1])).toEqual([null, "allow"]);
    expect(asked(["allow if rule-evaluated(10)"], [0, 5, 20, 21])).toEqual([null, "allow", null, "allow"]);
    // a rule of another device is asked as well; one behind the rule that decides is not
    expect(asked(["allow id 1234:* if !rule-evaluated", "allow if rule-evaluated"], [0, 1])).toEqual([null, "allow"]);
    expect(asked(["allow", "block if rule-evaluated"], [0, 1])).toEqual(["allow", "allow"]);
  });
  it("random draws once for each plugging in, evenly", () => {
    const past = rulePast(hash, undefined);
    const draws = Array.from({ length: 2_000 }, () => past.circumstances(past.moment(START, [])).random!());
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThan(1);
    const share = draws.filter((draw) => draw < 0.25).length / draws.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
    const { random } = past.circumstances(past.moment(START, []));
    expect(random!()).toBe(random!());
  });
  it("localtime and allowed-matches are what they are at that moment", () => {
    const past = rulePast(hash, undefined);
    const at = new Date(2026, 10, 24, 8, 46, 7);
    const { timeOfDay, allowed } = past.circumstances(past.moment(at.getTime(), [device]));
    expect(timeOfDay).toBe(8 * 3600 + 46 * 60 + 7);
    expect(allowed).toEqual([{ ...device, interfaceCount: 1 }]);
  });
  it("keeps of the past what the policy still has, and nothing of rules that do not ask for it", () => {
    const past = rulePast(hash, undefined);
    const ask = (line: string) => {
      const parsed = parseRules(line);
      if (parsed.ok) matchRules(parsed.value, device, past.circumstances(past.moment(START, [])));
    };
    ask("allow");
    expect(past.changed(UsbSection.parse({}))).toBeUndefined();
    ask("allow if !rule-applied");
    ask("allow if rule-evaluated(9)");
    const kept = past.changed(UsbSection.parse({ deviceRules: ["allow if !rule-applied"] })) as Record<string, object>;
    expect([kept.applied, kept.evaluated].map((marks) => Object.values(marks!))).toEqual([[START], [START]]);
    expect(past.changed(UsbSection.parse({}))).toBeUndefined();
    const odd = rulePast(hash, { odd: true });
    expect(odd.circumstances(odd.moment(START, [])).sinceApplied).toBeDefined();
  });
});
