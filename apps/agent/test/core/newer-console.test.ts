import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { describe, expect, it } from "vitest";
import { NO_SPARE } from "../../src/dom0/spare.ts";
import { EMPTY_KEPT } from "../../src/policy/kept.ts";
import { PolicyKeeper } from "../../src/policy/policy.ts";

const FOLDER = new URL("../../../../packages/shared/src/wire/golden/", import.meta.url);
const golden = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));

describe("the keeper of the policy, told of one of a newer console", () => {
  it("says so on the trail and in the report, by the field's name, and goes on with the one it has", () => {
    const state = mkdtempSync(join(tmpdir(), "sallyport-golden-"));
    try {
      const one = golden("policy-newer");
      const told: Observation[] = [];
      const keeper = new PolicyKeeper({
        spare: NO_SPARE,
        state,
        self: { workstation: one.workstation, group: one.group, consoleKeys: [one.consoleKey] },
        kept: EMPTY_KEPT,
        keepMarks: () => {},
        now: () => Date.parse("2026-11-24T10:00:01.000Z"),
        monotonic: () => 0,
        tell: (observation) => void told.push(observation),
        commands: { holds: () => false, refusal: () => undefined, take: () => {} },
        changed: () => {},
        log: { debug() {}, info() {}, warn() {}, error() {} },
      });
      const desired = (name: string) =>
        keeper.desired(Buffer.from(JSON.stringify({ statements: [golden(name).statement] })));
      desired("policy-1-every-field");
      desired("policy-newer");
      desired("policy-newer"); // retained: it comes again at each connection
      expect(keeper.inForce?.order).toBe(2);
      expect(keeper.refused).toMatchObject({ code: "malformed", order: 3 });
      expect(keeper.refused?.reason).toMatch(/journalSeconds.*upgrade the agent/);
      expect(told.map(({ kind, text }) => [kind, /bluetooth.*upgrade the agent/.test(text)])).toEqual([
        ["policy.refused", true],
      ]);
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });
});
