import { Policy, SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { expect, it } from "vitest";
import type { Appliers } from "./reconcile/reconcile.ts";
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
