import type { ManifestFile } from "@sallyport/shared/usb/manifest.ts";
import { manifestDigest, splitManifest } from "@sallyport/shared/usb/manifest.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { AT_ONCE, atOnce, each, inTurns, sorted, type Work } from "./in-turns.ts";
import { listing } from "./records.ts";

const COUNT = 20 * AT_ONCE + 7;
const numbers = Array.from({ length: COUNT }, (_, at) => (at * 7_919) % 1_009);

/** The most that was done between two stops of the work, and what it came to. */
function mostAtOnce<T>(work: (does: () => void) => Work<T>): { most: number; made: T } {
  let [done, most] = [0, 0];
  const steps = work(() => {
    done += 1;
    most = Math.max(most, done);
  });
  for (;;) {
    const step = steps.next();
    if (step.done) return { most, made: step.value };
    done = 0;
  }
}

describe("work in turns", () => {
  it("comes to what it comes to at once", async () => {
    const work = () => each(numbers, (number) => number * 2);
    expect(await inTurns(work())).toEqual(atOnce(work()));
    expect(atOnce(work())).toEqual(numbers.map((number) => number * 2));
  });
  it("lets the loop go round", async () => {
    let rounds = 0;
    let isOver = false;
    const round = () => {
      rounds += 1;
      if (!isOver) setImmediate(round);
    };
    setImmediate(round);
    function* long(): Work<void> {
      for (let piece = 0; piece < 10; piece++) {
        for (const from = performance.now(); performance.now() - from < 20; );
        yield;
      }
    }
    await inTurns(long());
    isOver = true;
    expect(rounds).toBeGreaterThanOrEqual(10);
  });
  it("stops after a few files of many", () => {
    const { most, made } = mostAtOnce((does) => each(numbers, does));
    expect([most, made.length]).toEqual([AT_ONCE, COUNT]);
  });
  it("sorts as the engine does, and stops after a few of many", () => {
    const entries = numbers.map((number, at) => ({ number, at }));
    const compare = (a: { number: number }, b: { number: number }) => a.number - b.number;
    const { most, made } = mostAtOnce((does) =>
      sorted(entries, (a, b) => {
        does();
        return compare(a, b);
      }),
    );
    expect(made).toEqual([...entries].sort(compare));
    expect(most).toBeLessThan(AT_ONCE * Math.log2(AT_ONCE));
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 3 * AT_ONCE }), (some) => {
        expect(atOnce(sorted(some, (a, b) => a - b))).toEqual([...some].sort((a, b) => a - b));
      }),
      { numRuns: 50 },
    );
  });
});

it("a long manifest's parts and digest are those that anybody finds, and are worked out once", () => {
  const manifest = numbers.map(
    (number, at): ManifestFile => ({
      ...{ path: `${number}/${at}`, size: at, md5: null, sha256: null, type: "text/plain", finding: "unscannable" },
    }),
  );
  let stops = 0;
  const work = listing(manifest, sha256);
  let step = work.next();
  for (; !step.done; step = work.next()) stops += 1;
  const { parts, digest } = step.value;
  expect(digest).toBe(manifestDigest(manifest, sha256));
  expect(parts).toEqual(splitManifest(manifest, 120 * 1024));
  expect(stops).toBeGreaterThan((3 * COUNT) / AT_ONCE - 3);
  expect(listing(manifest, sha256).next()).toEqual({ done: true, value: step.value });
});
