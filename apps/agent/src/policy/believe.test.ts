import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { carriedDigest, Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { type Believed, believe, inForce } from "./believe.ts";
import { EMPTY_KEPT, Kept } from "./kept.ts";

const WORKSTATION = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const GROUP = "22222222-2222-4222-8222-222222222222" as GroupId;
const OTHER = "33333333-3333-4333-8333-333333333333" as GroupId;
const THIRD = "44444444-4444-4444-8444-444444444444" as GroupId;
const console = newSigner();
const self = { workstation: WORKSTATION, group: GROUP, consoleKeys: [toBase64(console.publicKey)] };
const ISSUED = "2026-11-24T10:00:00.000Z";

type More = {
  order?: number;
  group?: GroupId;
  by?: Signer;
  linger?: number;
  notBefore?: string;
  notAfter?: string;
  digest?: string;
};
function policy({ order = 1, group = GROUP, by = console, linger = 1, digest, ...more }: More = {}): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs: linger } });
  const carried = { group, digest: digest ?? policyDigest(sha256, whole), policy: whole };
  return signStatement(sha256, [by], { type: "policy", audience: { group }, order, issued: ISSUED, ...more }, carried);
}
function byName(linger: number): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs: linger } });
  const carried = { group: GROUP, digest: policyDigest(sha256, whole), policy: whole };
  const audience = { workstation: WORKSTATION };
  return signStatement(sha256, [console], { type: "policy", audience, order: 1, issued: ISSUED }, carried);
}
const offer = (kept: Kept, statement: unknown, now = Date.parse(ISSUED)): Believed =>
  believe(sha256, ed25519Verify, self, kept, statement, now);
function taken(kept: Kept, statement: unknown, now?: number): Kept {
  const believed = offer(kept, statement, now);
  if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
  return believed.kept;
}

describe("a policy that was signed by an older version", () => {
  it("is taken though it lacks a field that has a default now, and keeps the digest it was signed with", () => {
    const { log, ...rest } = Policy.parse({ log: { lingerMs: 7 } });
    const { linesPerSecond, ...older } = log;
    const carried = { ...rest, log: older };
    const digest = carriedDigest(sha256, carried);
    const statement = signStatement(
      sha256,
      [console],
      { type: "policy", audience: { group: GROUP }, order: 1, issued: ISSUED },
      { group: GROUP, digest, policy: carried },
    );
    const found = inForce(sha256, self, taken(EMPTY_KEPT, statement));
    expect(found).toMatchObject({ digest, policy: { log: { lingerMs: 7, linesPerSecond } } });
  });
});

describe("a statement from the console", () => {
  it("is taken, and is no news the second time", () => {
    const kept = taken(EMPTY_KEPT, policy());
    expect(inForce(sha256, self, kept)).toMatchObject({ order: 1, policy: { log: { lingerMs: 1 } } });
    expect(offer(kept, policy())).toEqual({ answer: "held" });
  });
  const refusals: [string, unknown, string][] = [
    ["by another key", policy({ order: 3, by: newSigner() }), "signatures"],
    ["of another group", policy({ order: 3, group: OTHER }), "audience"],
    ["of an older order", policy({ order: 1, linger: 2 }), "old-order"],
    ["changed on the way", { ...policy({ order: 3 }), carried: policy({ order: 3, linger: 9 }).carried }, "digest"],
    ["carrying another revision than it names", policy({ order: 3, digest: "ab".repeat(32) }), "digest"],
    ["run out", policy({ order: 3, notAfter: "2026-11-24T09:00:00.000Z" }), "expired"],
    ["from a later time than its own", policy({ order: 3, notBefore: "2027-01-01T00:00:00.000Z" }), "not-yet-valid"],
    ["that is no statement", { text: "{}" }, "malformed"],
    ["that is nothing", null, "malformed"],
  ];
  it.each(refusals)("%s is refused, and the last good one stays", (_, statement, code) => {
    const kept = { ...taken(EMPTY_KEPT, policy({ order: 2 })), floor: Date.parse(ISSUED) };
    expect(offer(kept, statement)).toMatchObject({ answer: "refused", refusal: { code } });
  });
  it("valid from the moment it was issued is taken by a clock that was off", () => {
    expect(offer(EMPTY_KEPT, policy({ notBefore: ISSUED })).answer).toBe("taken");
  });
  it("may move the workstation to a group whose signers then decide, and the old policy stays until theirs comes", () => {
    const approver = newSigner();
    const keys = [
      { id: keyId(sha256, approver.publicKey), publicKey: toBase64(approver.publicKey), role: "approver" as const },
    ];
    const carried = { workstation: WORKSTATION, group: OTHER, groupName: "other", signers: { threshold: 1, keys } };
    const membership = signStatement(
      sha256,
      [console],
      { type: "membership", audience: { workstation: WORKSTATION }, order: 1, issued: ISSUED },
      carried,
    );
    const kept = taken(taken(EMPTY_KEPT, policy()), membership);
    expect(inForce(sha256, self, kept)?.order).toBe(1);
    expect(offer(kept, policy({ order: 5, linger: 7 }))).toMatchObject({
      answer: "refused",
      refusal: { code: "audience" },
    });
    expect(offer(kept, policy({ group: OTHER }))).toMatchObject({ answer: "refused", refusal: { code: "signatures" } });
    expect(offer(kept, policy({ group: OTHER, by: approver })).answer).toBe("taken");
  });
});

describe("the policy in force", () => {
  const HOUR_MS = 3_600_000;
  const moved = (order: number, group: GroupId): SignedStatement => {
    const keys = [{ id: keyId(sha256, console.publicKey), publicKey: toBase64(console.publicKey), role: "console" }];
    const carried = { workstation: WORKSTATION, group, groupName: "g", signers: { threshold: 1, keys } };
    const audience = { workstation: WORKSTATION };
    return signStatement(sha256, [console], { type: "membership", audience, order, issued: ISSUED }, carried);
  };
  const first = policy({ order: 7, linger: 1 });
  const second = policy({ order: 3, linger: 2, group: OTHER });
  /** Each statement with the hours its moment lies after the first one's, and what is in force after all of them. */
  const moves: [string, [SignedStatement, number][], number][] = [
    ["is the group's own", [[first, 0]], 1],
    [
      "is the new group's after a move",
      [
        [first, 0],
        [moved(1, OTHER), 1],
        [second, 2],
      ],
      2,
    ],
    [
      "is again the first group's once back",
      [
        [first, 0],
        [moved(1, OTHER), 1],
        [second, 2],
        [moved(2, GROUP), 3],
      ],
      1,
    ],
    [
      "is the first group's once back when the console sends its statement again",
      [
        [first, 0],
        [moved(1, OTHER), 1],
        [second, 2],
        [moved(2, GROUP), 3],
        [first, 4],
      ],
      1,
    ],
    [
      "is the new group's though the clock stepped back",
      [
        [first, 9],
        [moved(1, OTHER), 1],
        [second, 0],
      ],
      2,
    ],
    [
      "stays the last one after a move to a group that has none yet",
      [
        [first, 0],
        [moved(1, OTHER), 1],
      ],
      1,
    ],
    [
      "stays the last one after a second move to a group that has none, whatever the clock said",
      [
        [first, 9],
        [moved(1, OTHER), 1],
        [second, 0],
        [moved(2, THIRD), 0],
      ],
      2,
    ],
    [
      "is the one for this workstation by name before its group's",
      [
        [byName(5), 0],
        [first, 1],
      ],
      5,
    ],
  ];
  it.each(moves)("%s", (_, statements, linger) => {
    let kept = EMPTY_KEPT;
    for (const [statement, hours] of statements) {
      const believed = offer(kept, statement, Date.parse(ISSUED) + hours * HOUR_MS);
      if (believed.answer === "refused") throw new Error(believed.refusal.reason);
      if (believed.answer === "taken") kept = Kept.parse(JSON.parse(JSON.stringify(believed.kept)));
    }
    expect(inForce(sha256, self, kept)?.policy.log.lingerMs).toBe(linger);
  });
  it("is found in a file that does not say which one it was", () => {
    const { inForce: _, ...older } = taken(taken(EMPTY_KEPT, first), moved(1, OTHER));
    expect(inForce(sha256, self, Kept.parse(older))?.order).toBe(7);
  });
});
