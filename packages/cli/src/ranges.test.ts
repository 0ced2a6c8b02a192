import fc from "fast-check";
import { expect, it } from "vitest";
import { countInBoth, merged, type Range } from "./ranges.ts";

const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { maxLength: 12 });
const indices = (all: readonly Range[]) =>
  new Set(all.flatMap(([from, to]) => Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)));

it("counts each index that both name once, as sets would", () => {
  fc.assert(
    fc.property(ranges, ranges, (one, other) => {
      const both = [...indices(one)].filter((index) => indices(other).has(index));
      expect(countInBoth(one, other)).toBe(both.length);
    }),
  );
});

it("merged ranges lie in order and do not touch", () => {
  fc.assert(
    fc.property(ranges, (all) => {
      const once = merged(all);
      expect(indices(once)).toEqual(indices(all));
      for (const [at, [from]] of once.entries()) if (at > 0) expect(from).toBeGreaterThan(once[at - 1]![1]);
    }),
  );
});

it("looks at 100,000 absent contents and 10,000 gaps once each, not at each of one for each of the other", () => {
  const absent = Array.from({ length: 100_000 }, (_, at): Range => [2 * at, 2 * at + 1]);
  const gaps = Array.from({ length: 10_000 }, (_, at): Range => [20 * at, 20 * at + 5]).reverse();
  let looks = 0;
  expect(countInBoth(absent, gaps, () => looks++)).toBe(30_000);
  expect(looks).toBeLessThanOrEqual(110_000);
});

it("one gap record that names everything costs no more than its two ends", () => {
  let looks = 0;
  expect(countInBoth([[0, 2 ** 40]], [[0, Number.MAX_SAFE_INTEGER]], () => looks++)).toBe(2 ** 40);
  expect(looks).toBe(1);
});
