import { describe, expect, it } from "vitest";
import { hash, newSigner } from "../../test/keys.ts";
import { toBase64 } from "../base/bytes.ts";
import { Policy, policyDigest } from "../policy/policy.ts";
import { type SignedStatement, type Signers, type StatementType, signStatement } from "../policy/statement.ts";
import { keyId, type Signer } from "../trail/signed.ts";
import type { Known } from "./words/statement.ts";
import { sayStatements } from "./words.ts";

const [console, next, anna, ben, thief] = [newSigner(), newSigner(), newSigner(), newSigner(), newSigner()];
const workstation = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b";
const other = "4f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b";
const group = "11111111-2222-4333-8444-555555555555";
const loose = "99999999-2222-4333-8444-555555555555";
const ISSUED = "2026-11-24T08:00:00.000Z";
const NOT_AFTER = "2026-11-24T20:00:00.000Z";

const make = (type: StatementType, carried: unknown, over: object = {}): SignedStatement =>
  signStatement(
    hash,
    [console],
    { type, audience: { workstation }, order: 3, issued: ISSUED, ...over } as never,
    carried,
  );
const signersOf = (threshold: number, ...keys: Signer[]): Signers => ({
  threshold,
  keys: keys.map((key) => ({
    id: keyId(hash, key.publicKey),
    publicKey: toBase64(key.publicKey),
    role: key === console || key === next ? "console" : "approver",
  })),
});
const policyOf = (policy: Policy, over: object = {}, of = group) =>
  make("policy", { group: of, digest: policyDigest(hash, policy), policy }, { audience: { group: of }, ...over });
const membership = (signers: Signers, of = group, at = workstation) =>
  make("membership", { workstation: at, group: of, groupName: "desks", signers }, { audience: { workstation: at } });
const command = (verb: string, args: object) =>
  make(
    "command",
    { id: "aaaaaaaa-1111-4111-8111-111111111111", verb, arguments: args, notAfter: NOT_AFTER },
    { notAfter: NOT_AFTER },
  );
const say = (statements: SignedStatement[], known: Known = { group }) => {
  const said = sayStatements(hash, statements, known);
  if (!said.ok) throw new Error(said.error);
  return said.value;
};
const fault = (statements: SignedStatement[], known: Known = { group }) => {
  const said = sayStatements(hash, statements, known);
  return said.ok ? "said" : said.error;
};
const before = Policy.parse({ usb: { deviceRules: ["allow id 1234:abcd"], unscannable: "block" } });
const after = Policy.parse({ usb: { deviceRules: [], unscannable: "allow" }, log: { linesPerSecond: 9 } });

describe("a policy is said", () => {
  it("against the one that is known, what is lost or loosened first", () => {
    const known = { group, policies: [{ policy: before, words: "r2" }], names: { [group]: "desks" } };
    const said = say([policyOf(after)], known);
    expect(said.head).toMatch(/A policy for group 1111.* \(called desks\), revision [0-9a-f]{12} \(r3\)/);
    expect(said.looser).toEqual([
      expect.stringMatching(/^usb, removed: device rule removed: allow id 1234:abcd/),
      expect.stringMatching(/^usb, looser: unscannable files: block/),
      expect.stringMatching(/^log, looser/),
    ]);
    expect(said.other[0]).toMatch(/^Compared with r2: 1 device rule removed; 2 loosened/);
    expect(said.other[1]).toMatch(/^It cuts every workstation off from USB/);
    expect(said.exact).toContain(`revision ${policyDigest(hash, after)}`);
  });
  it("against each of two that may be in force, so that neither hides what the other shows", () => {
    const policies = [
      { policy: after, words: "r3, as the console says" },
      { policy: before, words: "r2, which you signed last" },
    ];
    const said = say([policyOf(after)], { group, policies });
    expect(said.other[0]).toBe("Compared with r3, as the console says: Nothing changes.");
    expect(said.looser[0]).toMatch(/^against r2, which you signed last: usb, removed: device rule removed/);
  });
  it("against the strict defaults where nothing is known", () => {
    expect(say([policyOf(after)]).other[0]).toMatch(/^Compared with the strict defaults/);
  });
  it("with what an abort goes back to, and what that loosens", () => {
    const known = { group, policies: [{ policy: before, words: "r2" }] };
    const digest = policyDigest(hash, before);
    const said = say([policyOf(after, { fallback: digest }), policyOf(before, { order: 4 })], known);
    expect(said.head).toMatch(/^A rollout of policy/);
    expect(said.other).toContainEqual(expect.stringMatching(/^if the rollout is aborted.*Nothing changes\.$/));
    const worse = Policy.parse({ usb: { infected: "hold" } });
    const sly = say([policyOf(before, { fallback: policyDigest(hash, worse) }), policyOf(worse, { order: 4 })], known);
    expect(sly.looser).toContainEqual(expect.stringMatching(/^after an abort: usb, looser: infected files/));
  });
  it("not at all where it is another group's, another revision's, or brings another fallback than it names", () => {
    expect(fault([policyOf(after, {}, loose)])).toMatch(/handed over as one of group/);
    expect(fault([policyOf(after, { audience: { fleet: true } })])).toMatch(/meant for fleet/);
    expect(fault([policyOf(after), policyOf(before, { order: 4 })])).toMatch(/not the one that the first names/);
    const wrong = make("policy", { group, digest: policyDigest(hash, before), policy: after }, { audience: { group } });
    expect(fault([wrong])).toMatch(/not the revision it is called/);
    expect(fault([{ ...policyOf(after), carried: policyOf(before).carried }])).toMatch(/not what it names/);
    const odd = { group, digest: policyDigest(hash, after), policy: { ...after, secret: 1 } };
    expect(fault([make("policy", odd, { audience: { group } })])).toMatch(/the policy in it/);
  });
});

describe("who signs is said", () => {
  const signers = signersOf(3, console, anna, ben);
  const known = { group, signers, names: { [toBase64(thief.publicKey)]: "Anna", [workstation]: "lab-07" } };
  it("once for all workstations, with who comes and goes by their keys", () => {
    const next = signersOf(3, console, anna, thief);
    const said = say([membership(next), membership(next, group, other)], known);
    expect(said.head).toMatch(/^Changes who signs for group .* on 2 workstations \(.*\(called lab-07\)/);
    expect(said.looser).toEqual([
      expect.stringMatching(/people who may not sign now could sign/),
      `a new approver: ${keyId(hash, thief.publicKey)} (called Anna)`,
    ]);
    expect(said.other).toContain(`No approver any more: ${keyId(hash, ben.publicKey)}.`);
  });
  it("as a loosening where fewer must, or nobody", () => {
    expect(say([membership(signersOf(2, console, anna, ben))], known).looser[0]).toMatch(
      /until now 2 of 2, then 1 of 2/,
    );
    expect(say([membership(signersOf(1, console))], known).looser).toContain(
      "the console's key alone decides from then on",
    );
    expect(say([membership(signersOf(3, next, anna, ben))], known).looser).toEqual([
      `another key of the console: ${keyId(hash, next.publicKey)}`,
    ]);
    expect(say([membership(signers)], known).looser).toEqual([]);
  });
  it("as a move where the group is another", () => {
    const said = say([membership(signers, loose)], known);
    expect(said.head).toMatch(/^Moves workstation 3f2b.* to group 9999/);
    expect(said.looser).toContainEqual(expect.stringMatching(/another group decides/));
  });
  it("not at all where statements differ, or one speaks of another workstation than it is for", () => {
    expect(fault([membership(signers), membership(signersOf(2, console, anna), group, other)])).toMatch(
      /different things of different workstations/,
    );
    const crossed = make("membership", { workstation: other, group, groupName: "d", signers });
    expect(fault([crossed])).toMatch(/meant for 3f2b.* speaks of 4f2b/);
    expect(fault([membership(signers), policyOf(after)])).toMatch(/several types/);
  });
});

describe("what else is signed is said", () => {
  it("a wipe, with what it destroys", () => {
    const said = say([command("wipe", { volume: "01234567-89ab-cdef-0123-456789abcdef" })]);
    expect(said.head).toMatch(/^Tells workstation 3f2b.* to wipe its volume 0123.*; not begun after 2026-11-24T20/);
    expect(said.destroys).toEqual([expect.stringMatching(/^Destroys the keys/)]);
  });
  it("a guest that is started again, which destroys nothing", () => {
    const said = say([command("start-guest", { guest: "work" })]);
    expect(said.head).toMatch(/^Tells workstation 3f2b.* to start its guest work; not begun after 2026-11-24T20/);
    expect([said.destroys, said.other]).toEqual([[], [expect.stringMatching(/^Starts a guest/)]]);
  });
  it("an exception, with its end and its manifest", () => {
    const old = { workstation, descriptors: "a".repeat(64), manifest: "b".repeat(64), reason: "looked at" };
    const carried = { ...old, device: "one stick" };
    const said = say([make("exception", carried, { notAfter: NOT_AFTER })]);
    expect(said.head).toMatch(/^Lets one stick pass on workstation .* until 2026-11-24T20/);
    expect(said.exact).toContain(`manifest ${"b".repeat(64)}`);
    expect(said.looser).toContain("handed over is a copy of the files that its manifest lists, and nothing else");
    const images = [{ bytes: 4_096, sha256: "c".repeat(64) }];
    expect(say([make("exception", { ...carried, images }, { notAfter: NOT_AFTER })]).looser).toContain(
      `handed over is the whole image, 4096 bytes, sha256 ${"c".repeat(64)}, with all that lies beside the listed files`,
    );
    expect(said.exact).toContain("device one stick");
    expect(fault([make("exception", carried)])).toMatch(/never ends/);
    expect(fault([make("exception", old, { notAfter: NOT_AFTER })])).toMatch(/does not say which stick/);
  });
  it("keys of the console, new ones first", () => {
    const carried = { consoleKeys: [console, next].map(({ publicKey }) => toBase64(publicKey)), cas: [] };
    const said = say([make("keys", carried)], { group, signers: signersOf(2, console, anna) });
    expect(said.looser).toEqual([`a new key of the console: ${keyId(hash, next.publicKey)}`]);
  });
  it("and nothing that says more than is known, or that the workstation would refuse", () => {
    const carried = { workstation, group, groupName: "d", signers: signersOf(1, console), more: true };
    expect(fault([make("membership", carried)])).toMatch(/more than this version knows/);
    const reason = { workstation, descriptors: "a".repeat(64), manifest: "b".repeat(64), reason: "x", any: 1 };
    expect(fault([make("exception", reason, { notAfter: NOT_AFTER })])).toMatch(/more than this version knows/);
    expect(fault([command("wipe", { volume: "01234567-89ab-cdef-0123-456789abcdef", all: true })])).not.toBe("said");
    expect(fault([{ ...command("rescan", {}), text: "{}" }])).toMatch(/statement 1 of 1/);
    expect(fault([])).toMatch(/no statement/);
  });
});
