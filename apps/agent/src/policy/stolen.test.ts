/** The console's key in a thief's hand, and approvers who still want to be heard; a console whose clock is wrong. */
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { believe } from "./believe.ts";
import { EMPTY_KEPT, Kept } from "./kept.ts";
import { makeGood, rise } from "./marks.ts";
import { hear, latestOf } from "./moments.ts";

const [console, anna, ben] = [newSigner(), newSigner(), newSigner()];
const ALL = [console, anna, ben];
const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const group = "22222222-2222-4222-8222-222222222222" as GroupId;
const self = { workstation, group, consoleKeys: [toBase64(console.publicKey)] };
const HOUR = 3_600_000;
const START = Date.parse("2026-11-24T10:00:00Z");
const iso = (at: number) => new Date(at).toISOString();

function membership(threshold: number, order = 1, issued = START): SignedStatement {
  const keys = ALL.map(({ publicKey }, at) => ({
    ...{ id: keyId(sha256, publicKey), publicKey: toBase64(publicKey) },
    role: at === 0 ? ("console" as const) : ("approver" as const),
  }));
  const head = { type: "membership" as const, audience: { workstation }, order, issued: iso(issued) };
  return signStatement(sha256, ALL, head, { workstation, group, groupName: "g", signers: { threshold, keys } });
}
type Head = { order: number; issued: number; notAfter: number };
function command(verb: string, args: object, by: Signer[], { order, issued, notAfter }: Head): SignedStatement {
  const head = {
    type: "command" as const,
    audience: { workstation },
    order,
    issued: iso(issued),
    notAfter: iso(notAfter),
  };
  const id = `3f2b8c1e-4a5d-4e6f-8a9b-${String(order % 1e12).padStart(12, "0")}`;
  return signStatement(sha256, by, head, { id, verb, arguments: args, notAfter: iso(notAfter) });
}
function overlay(by: Signer[], { order, issued, notAfter }: Head, fleet = true): SignedStatement {
  const audience = fleet ? { fleet: true as const } : { workstation };
  const head = { type: "overlay" as const, audience, order, issued: iso(issued), notAfter: iso(notAfter) };
  return signStatement(sha256, by, head, { entries: [] });
}
function policy(order: number, issued: number, notAfter?: number): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs: 7 } });
  const head = { type: "policy" as const, audience: { group }, order, issued: iso(issued) };
  const carried = { group, digest: policyDigest(sha256, whole), policy: whole };
  return signStatement(sha256, ALL, { ...head, ...(notAfter && { notAfter: iso(notAfter) }) }, carried);
}
function exception(order: number, issued: number, notAfter: number): SignedStatement {
  const head = {
    type: "exception" as const,
    audience: { workstation },
    order,
    issued: iso(issued),
    notAfter: iso(notAfter),
  };
  const hex = "a".repeat(64);
  return signStatement(sha256, ALL, head, {
    workstation,
    descriptors: hex,
    device: "one",
    manifest: hex,
    reason: "looked at",
  });
}
const wipe = (head: Head, by = ALL) => command("wipe", { volume: "01234567-89ab-cdef-0123-456789abcdef" }, by, head);

const offer = (kept: Kept, statement: SignedStatement, now: number) =>
  believe(sha256, ed25519Verify, self, kept, statement, now);
const answer = (kept: Kept, statement: SignedStatement, now: number): string => {
  const believed = offer(kept, statement, now);
  return believed.answer === "refused" ? believed.refusal.code : believed.answer;
};
/** What was taken counts; as the disk has it after a restart. */
function after(kept: Kept, statement: SignedStatement, now: number): Kept {
  const believed = offer(kept, statement, now);
  return believed.answer === "taken" ? Kept.parse(JSON.parse(JSON.stringify(believed.kept))) : kept;
}
const heard = (kept: Kept, now: number, time: number): Kept => ({
  ...kept,
  ...hear(now, { floor: kept.floor, heard: kept.heard ?? 0 }, time),
});
const strict = after(EMPTY_KEPT, membership(3), START);

/** What a thief may send: orders and moments of his choice, near and absurd. */
const order = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: -HOUR, max: 9 * 86_400 }).map((more) => Math.floor(START / 1000) + more),
  fc.constantFrom(2 ** 31, 2 ** 53 - 1),
);
const moment = fc.oneof(
  fc.integer({ min: -40 * 24, max: 40 * 24 }).map((hours) => START + hours * HOUR),
  fc.constantFrom(Date.parse("1999-01-01"), Date.parse("2999-01-01"), Date.parse("9999-12-01")),
);
const life = fc.integer({ min: 1, max: 31 * 24 }).map((hours) => hours * HOUR);
type Act = (kept: Kept, now: number) => Kept;
const head = fc
  .record({ order, issued: moment, life })
  .map(({ order, issued, life }) => ({ order, issued, notAfter: issued + life }));
const theft: fc.Arbitrary<Act> = fc.oneof(
  head.map((each) => (kept: Kept, now: number) => after(kept, command("diagnostics", {}, [console], each), now)),
  head.map(
    (each) => (kept: Kept, now: number) =>
      after(kept, command("isolate", { until: iso(each.notAfter) }, [console], each), now),
  ),
  head.map((each) => (kept: Kept, now: number) => after(kept, wipe(each, [console]), now)),
  fc.tuple(head, fc.boolean()).map(
    ([each, fleet]) =>
      (kept: Kept, now: number) =>
        after(kept, overlay([console], each, fleet), now),
  ),
  moment.map((time) => (kept: Kept, now: number) => heard(kept, now, time)),
  fc.constant((kept: Kept) => makeGood(workstation, kept, rise(workstation, undefined, kept), true)),
);

/** As the machine runs: dom0's clock counts whole milliseconds, the floor what the monotonic clock counts. */
const run = (kept: Kept, ms: number): Kept => ({
  ...kept,
  floor: kept.floor + ms,
  ...(kept.heard !== undefined && { heard: kept.heard + ms }),
});
const clocks: [string, (time: number) => number][] = [
  ["whose clock is right", (time) => Math.floor(time)],
  ["whose clock is dead", (time) => Math.floor(time - START)],
];

describe("a thief of the console's key alone", () => {
  it.each(clocks)(
    "never makes a workstation %s refuse what as many sign as must",
    (_, own) => {
      const steps = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.double({ min: 0, max: 1, noNaN: true }));
      fc.assert(
        fc.property(
          fc.array(fc.tuple(theft, steps), { maxLength: 12 }),
          fc.integer({ min: 1, max: 60 }),
          (acts, minutes) => {
            let [kept, time] = [strict, START];
            for (const [act, [hours, fraction]] of acts) {
              kept = run(act(kept, own(time)), hours * HOUR + fraction);
              time += hours * HOUR + fraction;
            }
            const now = Math.floor(time);
            const notAfter = now + minutes * 60_000;
            const seconds = Math.floor(now / 1000);
            expect(answer(kept, wipe({ order: seconds, issued: now, notAfter }), own(now))).toBe("taken");
            expect(answer(kept, command("release", {}, ALL, { order: seconds, issued: now, notAfter }), own(now))).toBe(
              "taken",
            );
            expect(answer(kept, exception(1, now, notAfter), own(now))).toBe("taken");
            expect(answer(kept, policy(1, now, notAfter), own(now))).toBe("taken");
            expect(answer(kept, membership(3, 2, now), own(now))).toBe("taken");
          },
        ),
        { numRuns: 60 },
      );
    },
    120_000,
  );

  it("locks what the console itself may say for nine days at most, and not at all once its key is gone", () => {
    const most = Math.floor(START / 1000) + 8 * 86_400;
    const stolen = after(strict, overlay([console], { order: most, issued: START, notAfter: START + HOUR }), START);
    const later = START + 9 * 86_400_000;
    const own = { issued: later, notAfter: later + HOUR, order: Math.floor(later / 1000) };
    expect(answer(stolen, overlay([console], own), later)).toBe("taken");
    const next = newSigner();
    const keysHead = { type: "keys" as const, audience: { workstation }, order: 1, issued: iso(START) };
    const keys = signStatement(sha256, ALL, keysHead, { consoleKeys: [toBase64(next.publicKey)], cas: [] });
    const rid = after(stolen, keys, START);
    const now = { issued: START, notAfter: START + HOUR, order: Math.floor(START / 1000) };
    expect(answer(stolen, overlay([console], now), START)).toBe("old-order");
    expect(answer(rid, overlay([console], { ...now, order: most + 1 }), START)).toBe("signatures");
    expect(answer(rid, overlay([next], now), START)).toBe("taken");
  });

  const isolation = (issued: number, by = [console]) => {
    const notAfter = issued + 7 * 86_400_000;
    const head = { order: Math.floor(issued / 1000), issued, notAfter };
    return command("isolate", { until: iso(notAfter) }, by, head);
  };
  const MONTH = 30 * 86_400_000;
  it("is not believed in any part of a millisecond: a healthy clock that counts whole ones is not behind the floor", () => {
    let [kept, time] = [heard(strict, START, START), START];
    for (let at = 0; at < 4_000; at++) {
      time += 0.37;
      kept = run(kept, 0.37);
      const own = Math.floor(time);
      // the console's honest word puts the floor on dom0's own clock; the thief's lies a month ahead
      if (at % 7 === 0) kept = heard(kept, own, own + 1_000);
      kept = heard(kept, own, latestOf(own, { floor: kept.floor, heard: kept.heard! }) + MONTH);
      expect(latestOf(own, { floor: kept.floor, heard: kept.heard! })).toBeLessThan(START + HOUR);
    }
    const far = Date.parse("2036-12-20");
    expect(answer(kept, isolation(far), Math.floor(time))).toBe("ahead");
    const head = { order: Math.floor(far / 1000), issued: far, notAfter: far + MONTH };
    expect(answer(kept, overlay([console], head), Math.floor(time))).toBe("ahead");
  });

  it("walks a dead clock no further than a month beyond what has come for certain, however often it speaks", () => {
    let [kept, time] = [strict, START];
    for (let at = 0; at < 120; at++) {
      time += MONTH;
      kept = heard(kept, 0, time);
    }
    expect(kept.heard).toBe(time);
    expect(answer(kept, isolation(time), 0)).toBe("ahead");
    expect(answer(kept, isolation(START + 33 * 86_400_000), 0)).toBe("ahead");
    // after a month switched off it is heard, and what people sign at any time is
    expect(answer(kept, isolation(START + MONTH), 0)).toBe("taken");
    expect(answer(kept, policy(1, time), 0)).toBe("taken");
    expect(answer(kept, policy(1, START), 0)).toBe("taken");
  });

  it("cuts nothing off for longer than a week from now", () => {
    const year = Date.parse("2999-01-01");
    const head = { order: 1, issued: year, notAfter: year + HOUR };
    expect(answer(strict, command("isolate", { until: iso(year + HOUR) }, [console], head), START)).toBe("ahead");
    expect(answer(strict, overlay([console], head), START)).toBe("ahead");
  });
});

describe("a console whose clock is wrong", () => {
  const alone = after(EMPTY_KEPT, membership(1), START);
  const WRONG = Date.parse("2999-01-01");
  it("locks nothing out: its word of 2999 is refused, and what it says with the right clock is taken", () => {
    const told = heard(alone, START, WRONG);
    expect(told).toEqual(alone);
    expect(answer(told, policy(1, WRONG), START)).toBe("ahead");
    const head = { order: 1, issued: START, notAfter: START + HOUR };
    expect(answer(told, command("diagnostics", {}, [console], head), START)).toBe("taken");
  });
  it("together with dom0's own, as by one wrong time server, is mended by the next policy", () => {
    const poisoned = heard(alone, WRONG, WRONG);
    expect(poisoned.floor).toBe(WRONG);
    const order = { order: 1, issued: START, notAfter: START + HOUR };
    expect(answer(poisoned, wipe(order), START)).toBe("expired");
    const mended = after(poisoned, policy(1, START), START);
    expect(mended.floor).toBe(START);
    expect(answer(mended, wipe(order), START)).toBe("taken");
    // and stays so over a start
    const marks = rise(workstation, undefined, poisoned);
    expect(makeGood(workstation, mended, rise(workstation, marks, mended), false).floor).toBe(START);
    // also one that a kill left with the marks of before
    expect(makeGood(workstation, mended, marks, false).floor).toBe(START);
    expect(makeGood(workstation, mended, marks, true).floor).toBe(WRONG);
  });
});

it("a file that a version before wrote is read, and what it had taken is not taken again", () => {
  const before = Kept.parse({
    ...JSON.parse(JSON.stringify(strict)),
    orders: { ...strict.orders, [`command/workstation/${workstation}`]: 9, "overlay/fleet": 4 },
  });
  const head = (order: number) => ({ order, issued: START, notAfter: START + HOUR });
  expect(answer(before, command("rescan", {}, [console], head(9)), START)).toBe("old-order");
  expect(answer(before, command("rescan", {}, [console], head(10)), START)).toBe("taken");
  expect(answer(before, wipe(head(9)), START)).toBe("old-order");
  expect(answer(before, wipe(head(10)), START)).toBe("taken");
  expect(answer(before, overlay([console], head(4)), START)).toBe("old-order");
  expect(answer(before, overlay([console], head(5)), START)).toBe("taken");
});
