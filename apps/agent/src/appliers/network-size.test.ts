/** The firewall's applier and a section that is more than a workstation loads: taken in by a console that did not look. */
import { ok } from "@sallyport/shared/base/result.ts";
import { ADDRESSES_WRITTEN_MAX } from "@sallyport/shared/policy/network/size.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { simRuleset } from "../sim/ruleset.ts";
import { networkApplier } from "./network.ts";

const TABLE = { family: "inet", table: "sallyport" } as const;

function agent() {
  const ruleset = simRuleset();
  const cut: { until?: string } = {};
  const applier = networkApplier({
    ruleset,
    config: { wire: "routed", vifs: [{ name: "vif1.0", guest: "work", addresses: ["10.1.0.2"] }], own: [] },
    broker: { host: "192.0.2.9", port: 8883 },
    lostMs: () => 0,
    resolve: async () => ok([]),
    hash: sha256,
    now: () => Date.parse("2026-11-24T12:00:00Z"),
    floor: () => 0,
    monotonic: () => 0,
    kept: { read: async () => undefined, write() {} },
    isolatedUntil: () => cut.until,
    denied: () => [],
    tell: () => {},
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const judge = async (wanted: NetworkSection) => applier.judge(wanted, await applier.inspect());
  return { applier, cut, judge, text: () => ruleset.text(TABLE) ?? "" };
}

const rule = { name: "far", verdict: "block", addresses: Array(256).fill("192.0.2.7") };
const section = (rules: number) => NetworkSection.parse({ rules: Array(rules).fill(rule) });
const small = section(1);
const large = section(ADDRESSES_WRITTEN_MAX / 256 + 1);

it("a section that is too large leaves the one before in force, and says what to cut", async () => {
  const { applier, judge, text } = agent();
  await applier.apply(small);
  const before = text();
  expect(await judge(large)).toMatchObject({
    outcome: "failed",
    reason: expect.stringMatching(/^the section is too large: 33024 addresses in all rules.*: write prefixes/),
  });
  await expect(applier.apply(large)).rejects.toThrow(
    "The section is too large, and the one before stays in force: 33024 addresses",
  );
  expect(text()).toBe(before);
  expect((await judge(small)).outcome).toBe("applied");
});

it("where none was in force it leaves the guests shut, and an isolation holds over it", async () => {
  const { applier, cut, judge, text } = agent();
  await expect(applier.apply(large)).rejects.toThrow(
    /nothing passes to or from a guest.*The section is too large: 33024/,
  );
  expect(text()).toContain('iifname "vif*" drop');
  cut.until = "2026-11-24T13:00:00.000Z";
  await applier.apply(large);
  expect(await judge(large)).toMatchObject({ outcome: "applied", reason: expect.stringContaining("Isolated") });
});
