/** What a workstation makes of exceptions: whose they are, when they end, and that one takes no other's place. */
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { type Believed, believe } from "./believe.ts";
import { exceptionsOf } from "./exceptions.ts";
import { EMPTY_KEPT, forNextEnrolment, type Kept } from "./kept.ts";
import { Marks, makeGood, rise } from "./marks.ts";
import type { Self } from "./self.ts";

const console = newSigner();
const OWN = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId;
const OTHER = "4f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId;
const GROUP = "11111111-2222-4333-8444-555555555555" as GroupId;
const self: Self = {
  workstation: OWN,
  group: GROUP,
  consoleKeys: [Buffer.from(console.publicKey).toString("base64")],
};
const ISSUED = "2026-11-24T10:00:00.000Z";
const END = "2026-11-25T10:00:00.000Z";
const NOW = Date.parse(ISSUED);
const hex = (digit: string) => digit.repeat(64) as Sha256;

type More = {
  order?: number;
  workstation?: WorkstationId;
  carries?: WorkstationId;
  by?: Signer;
  notAfter?: string | null;
  manifest?: Sha256;
  device?: string;
};
function exception({
  order = 1,
  workstation = OWN,
  carries = workstation,
  by = console,
  notAfter = END,
  manifest = hex("b"),
  device = "one stick",
}: More = {}): SignedStatement {
  const head = { type: "exception" as const, audience: { workstation }, order, issued: ISSUED };
  const carried = {
    workstation: carries,
    descriptors: hex("a"),
    ...(device && { device }),
    manifest,
    reason: "looked at",
  };
  return signStatement(sha256, [by], { ...head, ...(notAfter === null ? {} : { notAfter }) }, carried);
}
const offer = (kept: Kept, statement: unknown): Believed => believe(sha256, ed25519Verify, self, kept, statement, NOW);
function taken(kept: Kept, statement: unknown): Kept {
  const believed = offer(kept, statement);
  if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
  return believed.kept;
}

describe("an exception", () => {
  it("is taken, holds until its end, and is no news the second time", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const holds = (now: number, floor: number) => exceptionsOf(sha256, self, kept, { now, floor }).length;
    expect(exceptionsOf(sha256, self, kept, { now: NOW, floor: NOW })).toMatchObject([
      { manifest: hex("b"), notAfter: END },
    ]);
    expect([holds(Date.parse(END), NOW), holds(NOW, Date.parse(END)), holds(0, 0)]).toEqual([0, 0, 1]);
    expect(offer(kept, exception())).toEqual({ answer: "held" });
  });
  it("taken by a version that asked for a model alone lets nothing pass any more", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const old = { signed: exception({ device: "", order: 9 }), taken: ISSUED };
    const both = { ...kept, exceptions: [...kept.exceptions!, old] };
    expect(exceptionsOf(sha256, self, both, { now: NOW, floor: NOW })).toHaveLength(1);
  });
  it("of an earlier enrolment holds no more, whether the file still has it or not", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const clocks = { now: NOW, floor: NOW };
    expect(exceptionsOf(sha256, { workstation: OTHER }, kept, clocks)).toEqual([]);
    const next = forNextEnrolment(
      taken({ ...kept, consoleKeys: self.consoleKeys as string[] }, revocation(exception())),
    );
    expect(next).toMatchObject({ consoleKeys: [], cas: [], orders: kept.orders, floor: NOW });
    expect([next.exceptions, next.revoked]).toEqual([undefined, undefined]);
  });
  const revocation = (of: SignedStatement, more: { order?: number; by?: Signer; until?: string } = {}) => {
    const { order = 1, by = console, until = END } = more;
    const digest = Buffer.from(sha256(Buffer.from(of.text))).toString("hex") as Sha256;
    const head = { type: "revocation" as const, audience: { workstation: OWN }, order, issued: ISSUED, notAfter: END };
    const revoked = [{ exception: digest, until, reason: "it was the wrong stick" }];
    return signStatement(sha256, [by], head, { workstation: OWN, revoked });
  };
  it("that is revoked holds no more, and does not come back; others stay", () => {
    const [one, two] = [exception(), exception({ order: 2, manifest: hex("c") })];
    const kept = taken(taken(taken(EMPTY_KEPT, one), two), revocation(one));
    const now = { now: NOW, floor: NOW };
    expect(exceptionsOf(sha256, self, kept, now)).toMatchObject([{ manifest: hex("c") }]);
    expect(offer(kept, one)).toMatchObject({ answer: "refused" });
    // a later list that leaves it out gives nothing back
    const later = taken(kept, revocation(two, { order: 2 }));
    expect(exceptionsOf(sha256, self, later, now)).toEqual([]);
    expect(later.revoked).toHaveLength(2);
  });
  it("that was revoked does not come back with a file that is lost or put back from an older time", () => {
    const before = taken(EMPTY_KEPT, exception());
    const marks = Marks.parse(JSON.parse(JSON.stringify(rise(OWN, undefined, taken(before, revocation(exception()))))));
    const lost = makeGood(OWN, EMPTY_KEPT, marks, true);
    expect(offer(lost, exception())).toMatchObject({ answer: "refused", refusal: { code: "revoked" } });
    const back = makeGood(OWN, before, marks, true);
    expect(exceptionsOf(sha256, self, back, { now: NOW, floor: NOW })).toEqual([]);
    expect(rise(OWN, marks, lost).revoked).toEqual(marks.revoked);
  });
  it("is refused where its revocation came first, as by a broker that held it back", () => {
    const kept = taken(EMPTY_KEPT, revocation(exception()));
    expect(offer(kept, exception())).toMatchObject({ answer: "refused", refusal: { code: "revoked" } });
    expect(offer(kept, exception({ manifest: hex("c") })).answer).toBe("taken");
  });
  it("is revoked by no stranger", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const by = newSigner();
    expect(offer(kept, revocation(exception(), { by }))).toMatchObject({ refusal: { code: "signatures" } });
  });
  it("of a month, from a console of before, is revoked as any other, and remembered for a week", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const revoked = taken(kept, revocation(exception(), { until: "2026-12-24T10:00:00.000Z" }));
    expect(exceptionsOf(sha256, self, revoked, { now: NOW, floor: NOW })).toEqual([]);
    expect(revoked.revoked).toMatchObject([{ until: "2026-12-01T10:00:00.000Z" }]);
  });
  it("has a place where those of a model, from before, filled all sixty-four", () => {
    const old = Array.from({ length: 64 }, (_, at) => ({
      signed: exception({ device: "", order: at + 1 }),
      taken: ISSUED,
    }));
    const kept = taken({ ...EMPTY_KEPT, exceptions: old }, exception());
    expect(exceptionsOf(sha256, self, kept, { now: NOW, floor: NOW })).toHaveLength(1);
    expect(kept.exceptions).toHaveLength(1);
    expect(taken({ ...EMPTY_KEPT, exceptions: old.slice(1) }, exception()).exceptions).toHaveLength(64);
  });
  it("is refused where sixty-four stand, and none of them gives way", () => {
    let kept = EMPTY_KEPT;
    for (let order = 1; order <= 64; order++) kept = taken(kept, exception({ order, device: `stick ${order}` }));
    expect(offer(kept, exception({ order: 65 }))).toMatchObject({
      answer: "refused",
      refusal: { code: "too-many", reason: expect.stringMatching(/^64 exceptions stand here already/) },
    });
    expect(exceptionsOf(sha256, self, kept, { now: NOW, floor: NOW })).toHaveLength(64);
    expect(offer({ ...kept, floor: Date.parse(END) - 1 }, exception({ order: 65 })).answer).toBe("refused");
  });
  it("stands beside others, and one that has ended makes room", () => {
    const two = taken(taken(EMPTY_KEPT, exception()), exception({ order: 2, manifest: hex("c") }));
    expect(exceptionsOf(sha256, self, two, { now: NOW, floor: NOW }).map(({ manifest }) => manifest)).toEqual([
      hex("b"),
      hex("c"),
    ]);
    expect(offer(two, exception())).toEqual({ answer: "held" });
    const late = { ...two, floor: Date.parse(END) };
    expect(taken(late, exception({ order: 3, notAfter: "2026-12-01T00:00:00.000Z" })).exceptions).toHaveLength(1);
  });
  const refusals: [string, SignedStatement, string][] = [
    ["for another workstation", exception({ workstation: OTHER }), "audience"],
    ["that carries another workstation", exception({ carries: OTHER }), "audience"],
    ["that never ends", exception({ notAfter: null }), "malformed"],
    ["that is for a model of sticks", exception({ device: "" }), "malformed"],
    ["of more than seven days", exception({ notAfter: "2026-12-01T10:00:00.001Z" }), "malformed"],
    ["that has ended", exception({ notAfter: "2026-11-24T09:00:00.000Z" }), "expired"],
    ["by another key", exception({ by: newSigner() }), "signatures"],
    ["changed on the way", { ...exception(), carried: exception({ manifest: hex("c") }).carried }, "digest"],
  ];
  it.each(refusals)("%s is refused", (_, statement, code) => {
    expect(offer({ ...EMPTY_KEPT, floor: NOW }, statement)).toMatchObject({ answer: "refused", refusal: { code } });
  });
  it("of one group does not outlive a move to another", () => {
    const kept = taken(EMPTY_KEPT, exception());
    const keys = [{ id: keyId(sha256, console.publicKey), publicKey: self.consoleKeys[0], role: "console" }];
    const group = "22222222-2222-4333-8444-555555555555";
    const carried = { workstation: OWN, group, groupName: "other", signers: { threshold: 1, keys } };
    const head = { type: "membership" as const, audience: { workstation: OWN }, order: 1, issued: ISSUED };
    expect(taken(kept, signStatement(sha256, [console], head, carried as never)).exceptions).toBeUndefined();
  });
});
