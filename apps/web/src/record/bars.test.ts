import fc from "fast-check";
import { expect, test } from "vitest";
import { BARS_MAX, barAt, barsOf } from "./bars.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = Date.parse("2026-11-29T14:03:20.000Z");

test.each([
  ["an hour", HOUR, MINUTE, 61],
  ["a day", 24 * HOUR, 30 * MINUTE, 49],
  ["a week", 7 * 24 * HOUR, 3 * HOUR, 57],
  ["thirty days", 30 * 24 * HOUR, 12 * HOUR, 61],
  ["ten years", 3650 * 24 * HOUR, 56 * 24 * HOUR, 66],
])("%s is cut at round moments", (_span, spanMs, stepMs, count) => {
  expect(barsOf(at - spanMs, at)).toEqual({ fromMs: Math.floor((at - spanMs) / stepMs) * stepMs, stepMs, count });
});

test("any span has a bounded number of bars, which cover it", () => {
  const ms = fc.integer({ min: 0, max: 4_102_444_800_000 });
  fc.assert(
    fc.property(ms, ms, (one, other) => {
      const [since, until] = [Math.min(one, other), Math.max(one, other)];
      const bars = barsOf(since, until);
      expect(bars.count).toBeLessThanOrEqual(BARS_MAX);
      expect(bars.fromMs).toBeLessThanOrEqual(since);
      expect(bars.fromMs + bars.count * bars.stepMs).toBeGreaterThanOrEqual(until);
      expect(barAt(bars, since)).toBe(0);
      expect(barAt(bars, until)).toBe(bars.count - 1);
    }),
  );
});
