import { Policy, SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { expect, it } from "vitest";
import type { Appliers, Outcomes } from "./reconcile/reconcile.ts";
import { type SteerParts, steering, Work } from "./steer.ts";

const NEVER_MS = 1_000_000;

/** A loop over sections that count the looks at them; `turn` ends when the loop has gathered once more. */
function begin() {
  const stop = new AbortController();
  const work = new Work();
  let looks = 0;
  let now = 0;
  let wanted: SteerParts["policy"]["inForce"];
  let gathered = () => {};
  const applier = (section: string) => ({
    section,
    inspect: async () => {
      looks += 1;
      return null;
    },
    judge: () => ({ outcome: "applied" as const }),
    apply: async () => {},
  });
  const steer = steering({
    policy: {
      get inForce() {
        return wanted;
      },
      nextEndMs: () => NEVER_MS,
    },
    appliers: Object.fromEntries(SECTIONS.map((name) => [name, applier(name)])) as unknown as Appliers,
    told: () => {},
    gather: () => ({}) as never,
    keep: () => gathered(),
    signer: undefined as never,
    link: { isConnected: false, publish: async () => "lost" as never },
    reportMs: () => NEVER_MS,
    monotonic: () => now,
    work,
  });
  const turn = async (act: () => void) => {
    const next = new Promise<void>((resolve) => {
      gathered = resolve;
    });
    act();
    await next;
    return looks / SECTIONS.length;
  };
  const first = turn(() => void steer.run(stop.signal));
  return {
    ...{ first, turn, work, steer },
    pass: (ms: number) => {
      now += ms;
    },
    want: (policy: Policy) => {
      wanted = { policy } as never;
    },
    end: () => stop.abort(),
  };
}

it("looks at the sections at the beginning, when one may have changed, and when it is time; to say a thing again it does not", async () => {
  const loop = begin();
  expect(await loop.first).toBe(1);
  expect(await loop.turn(() => loop.work.tell())).toBe(1);
  expect(await loop.turn(() => loop.steer.reportAgain())).toBe(1);
  expect(await loop.turn(() => loop.work.ring())).toBe(2);
  expect(await loop.turn(() => loop.work.tell())).toBe(2);
  loop.pass(20_000);
  expect(await loop.turn(() => loop.work.tell())).toBe(3);
  loop.want(Policy.parse({}));
  expect(await loop.turn(() => loop.work.tell()), "another policy is in force").toBe(4);
  // asked for both: the look is not lost
  expect(
    await loop.turn(() => {
      loop.work.ring();
      loop.work.tell();
    }),
  ).toBe(5);
  loop.end();
});

/** Sections of which one ends when it is told to. */
function withOneHanging(name: (typeof SECTIONS)[number]) {
  const stop = new AbortController();
  const work = new Work();
  let end = Promise.withResolvers<void>();
  let wanted = { policy: Policy.parse({}) } as never;
  const looks: Record<string, number> = {};
  const told: Outcomes[] = [];
  let isHanging = true;
  const applier = (section: string) => ({
    section,
    inspect: async () => {
      looks[section] = (looks[section] ?? 0) + 1;
      if (section === name && isHanging) await end.promise;
      return null;
    },
    judge: () => ({ outcome: "applied" as const, found: looks[section] }),
    apply: async () => {},
  });
  let heard = Promise.withResolvers<Outcomes>();
  const steer = steering({
    policy: {
      get inForce() {
        return wanted;
      },
      nextEndMs: () => NEVER_MS,
    },
    appliers: Object.fromEntries(SECTIONS.map((each) => [each, applier(each)])) as unknown as Appliers,
    told: (_, outcomes) => void told.push(outcomes),
    gather: (_, outcomes) => {
      heard.resolve(outcomes);
      heard = Promise.withResolvers();
      return {} as never;
    },
    keep: () => {},
    signer: undefined as never,
    link: { isConnected: false, publish: async () => "lost" as never },
    reportMs: () => NEVER_MS,
    monotonic: () => 0,
    work,
    lateMs: 30,
  });
  /** What is gathered after it, from the first on that is as asked. */
  const next = async (act: () => void, is: (outcomes: Outcomes) => boolean = () => true) => {
    for (let waited = heard.promise, isActed = false; ; waited = heard.promise) {
      if (!isActed) act();
      isActed = true;
      const outcomes = await waited;
      if (is(outcomes)) return outcomes;
    }
  };
  return {
    ...{ looks, told, work, next, steer },
    start: () => void steer.run(stop.signal),
    finish: () => end.resolve(),
    hang() {
      end = Promise.withResolvers();
      isHanging = true;
    },
    goOn() {
      isHanging = false;
    },
    want(policy: Policy) {
      wanted = { policy } as never;
    },
    stop: () => stop.abort(),
  };
}

it("reports the others while one section takes its time, looks at them again, and says what became of it when it has ended", async () => {
  const loop = withOneHanging("ids");
  const { next, work, looks } = loop;
  const first = await next(loop.start);
  expect(Object.keys(first)).toEqual(SECTIONS);
  expect(first.network).toEqual({ outcome: "applied", found: 1 });
  expect(first.ids).toEqual({
    outcome: "not-applied",
    pending: true,
    reason: expect.stringContaining("what is in force is not known yet"),
  });
  expect(loop.told.at(-1)).toEqual(first);
  // it is asked once, however often the others are
  const second = await next(
    () => work.ring(),
    ({ network }) => network.found !== 1,
  );
  expect([second.network.found, looks.ids]).toEqual([2, 1]);
  loop.goOn();
  // asked for meanwhile, it is looked at once more
  const third = await next(loop.finish, ({ ids }) => ids.found === 2);
  expect([third.ids, looks.ids]).toEqual([{ outcome: "applied", found: 2 }, 2]);
  // late again: what the look before found, as long as the same is wanted of it
  loop.hang();
  const late = await next(
    () => work.ring(),
    ({ ids }) => ids.reason !== undefined,
  );
  expect(late.ids).toMatchObject({ outcome: "applied", reason: expect.stringContaining("what the one before found") });
  loop.want(Policy.parse({ ids: { mode: "audit" } }));
  const other = await next(
    () => work.tell(),
    ({ ids }) => ids.outcome !== "applied",
  );
  expect(other.ids).toMatchObject({ outcome: "not-applied", pending: true });
  expect(other.network.outcome).toBe("applied");
  loop.finish();
  loop.stop();
});
