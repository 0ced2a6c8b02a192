import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Plan } from "./plan.ts";
import { bucket, waveOf } from "./wave.ts";

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const plan = Plan.parse({ waves: [{ label: "canary" }, { percent: 10 }, { percent: 50 }, { all: true }] });

describe("a workstation's wave", () => {
  it("is the first that picks it", () => {
    expect(waveOf(hash, plan, "r", { id: "w", labels: ["canary"] })).toBe(0);
  });
  it("is always one of the plan's, and the same again", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.array(fc.constantFrom("canary", "x")), (rollout, id, labels) => {
        const wave = waveOf(hash, plan, rollout, { id, labels });
        expect(wave).toBe(waveOf(hash, plan, rollout, { id, labels: [...labels].reverse() }));
        expect(plan.waves[wave]).toBeDefined();
      }),
    );
  });
  it("by percentage takes about that many, and others in another rollout", () => {
    const ids = Array.from({ length: 10_000 }, (_, at) => `workstation ${at}`);
    const first = (rollout: string) => ids.filter((id) => bucket(hash, rollout, id) < 10);
    expect(first("a").length).toBeGreaterThan(900);
    expect(first("a").length).toBeLessThan(1100);
    const others = new Set(first("b"));
    expect(first("a").filter((id) => others.has(id)).length).toBeLessThan(200);
  });
});
