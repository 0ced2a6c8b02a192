/** Whom a workstation believes: through new approvers, and a console's key that follows another. */
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, type StatementType, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { beliefOf, believe, isPassed } from "./believe.ts";
import { EMPTY_KEPT, type Kept } from "./kept.ts";

const [console, next, anna, ben, cleo] = [newSigner(), newSigner(), newSigner(), newSigner(), newSigner()];
const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const group = "22222222-2222-4222-8222-222222222222" as GroupId;
const ISSUED = "2026-11-24T10:00:00.000Z";
const self = { workstation, group, consoleKeys: [toBase64(console.publicKey)] };

const make = (type: StatementType, order: number, by: Signer[], carried: unknown, audience: object = { workstation }) =>
  signStatement(sha256, by, { type, audience, order, issued: ISSUED } as never, carried);
const membership = (order: number, threshold: number, people: Signer[], by: Signer[], consoleKey = console) =>
  make("membership", order, by, {
    ...{ workstation, group, groupName: "g" },
    signers: {
      threshold,
      keys: [consoleKey, ...people].map(({ publicKey }) => ({
        id: keyId(sha256, publicKey),
        publicKey: toBase64(publicKey),
        role: publicKey === consoleKey.publicKey ? "console" : "approver",
      })),
    },
  });
const keys = (order: number, some: Signer[], by: Signer[], audience?: object) =>
  make("keys", order, by, { consoleKeys: some.map(({ publicKey }) => toBase64(publicKey)), cas: [] }, audience);
function policy(order: number, by: Signer[]): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs: order } });
  return make("policy", order, by, { group, digest: policyDigest(sha256, whole), policy: whole }, { group });
}

const offer = (kept: Kept, statement: unknown) =>
  believe(sha256, ed25519Verify, self, kept, statement, Date.parse(ISSUED));
const answer = (kept: Kept, statement: unknown) => {
  const believed = offer(kept, statement);
  return believed.answer === "refused" ? believed.refusal.code : believed.answer;
};
function taken(kept: Kept, ...statements: unknown[]): Kept {
  let now = kept;
  for (const statement of statements) {
    const believed = offer(now, statement);
    if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
    now = believed.kept;
  }
  return now;
}

describe("approvers", () => {
  const first = membership(1, 2, [anna, ben], [console]);
  const second = membership(2, 3, [anna, ben, cleo], [console, anna]);
  it("are named by the console alone once, and from then on by themselves", () => {
    const kept = taken(EMPTY_KEPT, first);
    expect(answer(kept, membership(2, 1, [], [console]))).toBe("signatures");
    expect(answer(kept, membership(2, 2, [anna, ben, cleo], [console]))).toBe("signatures");
    expect(answer(kept, policy(1, [console]))).toBe("signatures");
    expect(answer(kept, policy(1, [console, ben]))).toBe("taken");
    expect(answer(taken(kept, second), policy(1, [console, ben]))).toBe("signatures");
    expect(answer(taken(kept, second), policy(1, [console, ben, cleo]))).toBe("taken");
  });
  it("replace one of them who lost a key, without that key", () => {
    const kept = taken(EMPTY_KEPT, first, membership(2, 2, [ben, cleo], [console, ben]));
    expect(answer(kept, policy(1, [console, anna]))).toBe("signatures");
    expect(answer(kept, policy(1, [console, cleo]))).toBe("taken");
  });
  it("come in order to a workstation that was away for several changes; those before the held one are passed over", () => {
    const all = [first, membership(2, 2, [cleo], [console, anna]), membership(3, 2, [ben], [console, cleo])];
    expect(answer(EMPTY_KEPT, all[0])).toBe("taken");
    expect(answer(taken(EMPTY_KEPT, first), all[2])).toBe("signatures");
    const kept = taken(EMPTY_KEPT, ...all);
    expect(all.map((_, at) => isPassed(kept, all, at))).toEqual([true, true, false]);
    expect(answer(kept, all[2])).toBe("held");
    // alone it is a replay, and refused as one
    expect(isPassed(kept, [first], 0)).toBe(false);
    expect(answer(kept, first)).toBe("signatures");
    expect(isPassed(kept, [first, policy(1, [console, ben])], 0)).toBe(false);
  });
});

describe("the console's key", () => {
  const strict = taken(EMPTY_KEPT, membership(1, 2, [anna, ben], [console]));
  it("is followed by another with as many signatures as a policy needs", () => {
    expect(answer(strict, keys(1, [console, next], [console]))).toBe("signatures");
    const both = taken(strict, keys(1, [console, next], [console, anna]));
    expect(answer(both, policy(1, [next, anna]))).toBe("taken");
    expect(answer(both, policy(1, [console, anna]))).toBe("taken");
    expect(answer(both, policy(1, [console, next]))).toBe("signatures");
    const only = taken(both, keys(2, [next], [next, ben]));
    expect(answer(only, policy(1, [console, anna]))).toBe("signatures");
    expect(answer(only, policy(1, [next, anna]))).toBe("taken");
    expect(beliefOf(sha256, self, only).signers.keys.map(({ role }) => role)).toEqual([
      "console",
      "approver",
      "approver",
    ]);
  });
  it("is what its own statement says, whatever a membership that came before or after still names", () => {
    const kept = taken(strict, keys(1, [next], [console, anna]), membership(2, 2, [anna], [next, ben]));
    expect(answer(kept, policy(1, [console, anna]))).toBe("signatures");
    expect(answer(kept, policy(1, [next, anna]))).toBe("taken");
  });
  it("changes for one workstation, by name: a group's would outlast a move", () => {
    expect(answer(strict, keys(1, [next], [console, anna], { group }))).toBe("audience");
    expect(answer(strict, keys(1, [next], [console, anna], { fleet: true }))).toBe("audience");
  });
  it("of a group with nobody else is followed by its own word", () => {
    const kept = taken(EMPTY_KEPT, keys(1, [next], [console]));
    expect(answer(kept, policy(1, [console]))).toBe("signatures");
    expect(answer(kept, policy(1, [next]))).toBe("taken");
  });
});
