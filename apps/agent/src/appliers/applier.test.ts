/** One contract for every applier, and what reconciling makes of them. */
import { Policy, SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { describe, expect, it } from "vitest";
import { type Appliers, listAppliers, reconcile } from "../reconcile/reconcile.ts";
import { unwatched } from "./ids.ts";
import { unfiltered } from "./network.ts";

function agent() {
  const inForce = { log: Policy.parse({}).log, agent: Policy.parse({}).agent };
  const setting = <N extends "log" | "agent">(name: N) => ({
    get: () => inForce[name],
    set: (value: (typeof inForce)[N]) => {
      inForce[name] = value;
    },
  });
  return {
    inForce,
    appliers: listAppliers(
      { log: setting("log"), agent: setting("agent") },
      { network: unfiltered(), ids: unwatched() },
    ),
  };
}
const wanted = Policy.parse({ log: { linesPerSecond: 7 }, agent: { windowBatches: 3 } });

describe.each([...SECTIONS])("the applier of %s", (name) => {
  type Any = {
    section: string;
    inspect(): Promise<never>;
    judge(wanted: unknown, found: never): SectionState;
    apply(wanted: unknown): Promise<void>;
  };
  it("is of that section, says only what a look found, and may run twice", async () => {
    const applier = agent().appliers[name] as unknown as Any;
    expect(applier.section).toBe(name);
    await applier.apply(wanted[name]);
    const once = applier.judge(wanted[name], await applier.inspect());
    await applier.apply(wanted[name]);
    expect(applier.judge(wanted[name], await applier.inspect())).toEqual(once);
    expect(SectionState.safeParse(once).success).toBe(true);
    expect(["applied", "not-applied"]).toContain(once.outcome);
    if (once.outcome === "not-applied") expect(once.reason).toMatch(/\.$/);
  });
});

describe("reconciling", () => {
  it("makes log and agent true and calls the others not applied, with the reason", async () => {
    const { appliers, inForce } = agent();
    const outcomes = await reconcile(appliers, wanted);
    expect(inForce).toEqual({ log: wanted.log, agent: wanted.agent });
    expect(Object.entries(outcomes).map(([name, { outcome }]) => [name, outcome])).toEqual([
      ["usb", "not-applied"],
      ["network", "not-applied"],
      ["ids", "not-applied"],
      ["log", "applied"],
      ["disk", "not-applied"],
      ["agent", "applied"],
    ]);
  });
  it("changes nothing for a section that is only audited", async () => {
    const { appliers, inForce } = agent();
    const outcomes = await reconcile(appliers, Policy.parse({ log: { mode: "audit", linesPerSecond: 7 } }));
    expect(outcomes.log.outcome).toBe("audit");
    expect(inForce.log.linesPerSecond).toBe(500);
  });
  it("reports a section that fails and goes on with the others", async () => {
    const { appliers, inForce } = agent();
    const broken: Appliers = {
      ...appliers,
      network: { ...appliers.network, inspect: () => Promise.reject(new Error("nft is gone")) },
    };
    const outcomes = await reconcile(broken, wanted);
    expect(outcomes.network).toEqual({ outcome: "failed", reason: "nft is gone" });
    expect(inForce.agent.windowBatches).toBe(3);
  });
});
