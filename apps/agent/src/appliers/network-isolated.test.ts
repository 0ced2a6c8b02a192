/** The firewall's applier while a command cuts the guests off. */
import { ok } from "@sallyport/shared/base/result.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { simRuleset } from "../sim/ruleset.ts";
import { type NetworkParts, networkApplier } from "./network.ts";

const TABLE = { family: "inet", table: "sallyport" } as const;

const parts = (ruleset: NetworkParts["ruleset"], isolatedUntil: () => string | undefined): NetworkParts => ({
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
  isolatedUntil,
  denied: () => [],
  tell: () => {},
  log: { debug() {}, info() {}, warn() {}, error() {} },
});

it.each(["enforce", "audit"] as const)(
  "an isolation holds over a section that would %s, and the section comes back",
  async (mode) => {
    const ruleset = simRuleset();
    let until: string | undefined;
    const applier = networkApplier(parts(ruleset, () => until));
    const wanted = NetworkSection.parse({
      mode,
      otherwise: "allow",
      rules: [{ name: "web", verdict: "allow", protocol: "tcp", ports: ["443"], host: "example.org" }],
    });
    const settle = async () => {
      await applier.apply(wanted);
      return applier.judge(wanted, await applier.inspect());
    };
    await settle();
    const before = ruleset.text(TABLE);
    until = "2026-11-24T13:00:00.000Z";
    expect(applier.judge(wanted, await applier.inspect()).outcome).toBe("failed");
    expect(await settle()).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining(`Isolated by a command until ${until}`),
      found: { isolatedUntil: until },
    });
    const cut = ruleset.text(TABLE)!;
    expect(cut).not.toContain("rule-1");
    expect(cut).toContain("goto drop-otherwise-out");
    expect(cut).toContain("goto drop-otherwise-in");
    // the agent's own way stays
    expect(cut).toContain("192.0.2.9");
    until = undefined;
    await settle();
    // what began before is judged again
    const unmarked = (text: string) => text.replaceAll(/0x[0-9a-f]{8}|comment ".*"/g, "");
    expect(unmarked(ruleset.text(TABLE)!)).toBe(unmarked(before!));
    expect(ruleset.text(TABLE)).not.toBe(before);
  },
);

it("a cut that a full disk does not keep is in force all the same, says so, and is kept once there is room", async () => {
  const ruleset = simRuleset();
  const disk: { text: string | undefined; full: boolean } = { text: undefined, full: false };
  let until: string | undefined;
  const applier = networkApplier({
    ...parts(ruleset, () => until),
    kept: {
      read: async () => disk.text,
      write(text) {
        if (disk.full) throw new Error("ENOSPC: no space left on device, write");
        disk.text = text;
      },
    },
  });
  const wanted = NetworkSection.parse({ mode: "enforce", otherwise: "allow" });
  await applier.apply(wanted);
  const before = disk.text;
  disk.full = true;
  until = "2026-11-24T13:00:00.000Z";
  await applier.apply(wanted);
  expect(ruleset.text(TABLE)).toContain("goto drop-otherwise-out");
  expect(applier.judge(wanted, await applier.inspect())).toMatchObject({
    outcome: "applied",
    reason: expect.stringContaining("begin with the rules before: ENOSPC"),
    found: { isolatedUntil: until },
  });
  expect(disk.text).toBe(before);
  disk.full = false;
  const { reason } = applier.judge(wanted, await applier.inspect());
  expect(reason).toContain(`Isolated by a command until ${until}`);
  expect(reason).not.toContain("ENOSPC");
  expect(disk.text).toContain("goto drop-otherwise-out");
});
