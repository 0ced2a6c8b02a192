import { readFileSync } from "node:fs";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { CarriedPolicy, type SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { describe, expect, it } from "vitest";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { believe, inForce } from "./believe.ts";
import { EMPTY_KEPT, type Kept } from "./kept.ts";

/** Signed once, with a key that no longer exists: what a console of that version sent must be believed for ever. */
type Golden = { consoleKey: string; workstation: WorkstationId; group: GroupId; statement: SignedStatement };
const FOLDER = new URL("../../../../packages/shared/src/wire/golden/", import.meta.url);
const golden = (name: string): Golden => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));

const NOW = Date.parse("2026-11-28T19:00:01.000Z");
const selfOf = ({ consoleKey, workstation, group }: Golden) => ({ workstation, group, consoleKeys: [consoleKey] });
const offer = (kept: Kept, one: Golden) => believe(sha256, ed25519Verify, selfOf(one), kept, one.statement, NOW);
function taken(kept: Kept, one: Golden): Kept {
  const believed = offer(kept, one);
  if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
  return believed.kept;
}

describe("policies of version 1, as they were signed", () => {
  it.each(["policy-1-defaults", "policy-1-every-field", "policy-1-definitions"])(
    "%s is taken, and in force under its own digest",
    (name) => {
      const one = golden(name);
      const carried = CarriedPolicy.parse(JSON.parse(one.statement.carried));
      const found = inForce(sha256, selfOf(one), taken(EMPTY_KEPT, one));
      expect(found?.digest).toBe(carried.digest);
      expect(found?.policy).toMatchObject(carried.policy as object);
    },
  );

  it("one changed character of what was signed is refused", () => {
    const one = golden("policy-1-every-field");
    const carried = one.statement.carried.replace('"burstLines":400', '"burstLines":401');
    expect(carried).not.toBe(one.statement.carried);
    expect(offer(EMPTY_KEPT, { ...one, statement: { ...one.statement, carried } }).answer).toBe("refused");
  });
});

describe("a policy of a newer console", () => {
  it.each([
    ["policy-newer", /it sets log\.journalSeconds, bluetooth, which this agent does not know: upgrade the agent/],
    ["policy-newer-version", /it is of version 2, this agent reads 1: upgrade the agent/],
  ])("%s is refused by name, and the last good one stays in force", (name, wanted) => {
    const kept = taken(EMPTY_KEPT, golden("policy-1-every-field"));
    const believed = offer(kept, golden(name));
    if (believed.answer !== "refused") throw new Error(believed.answer);
    expect(believed.refusal).toMatchObject({ code: "malformed", statement: { type: "policy", order: 3 } });
    expect(believed.refusal.reason).toMatch(wanted);
    expect(believed.refusal.reason).toMatch(/the last good policy stays in force$/);
    expect(inForce(sha256, selfOf(golden(name)), kept)?.order).toBe(2);
  });
});
