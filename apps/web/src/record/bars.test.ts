import fc from "fast-check";
import { expect, test } from "vitest";
import { BARS_MAX, barAt, barsOf, narrowed } from "./bars.ts";

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

test("bars narrow a chosen time to themselves, and never widen it, however it was written", () => {
  const at = (text: string) => Date.parse(`2026-11-29T${text}Z`);
  const chosen = { since: "2026-11-29T15:00:00Z", until: "2026-11-29T15:00:09Z" };
  expect(narrowed(chosen, at("15:00:00.400"), at("15:00:00.600"))).toEqual({
    since: "2026-11-29T15:00:00.400Z",
    until: "2026-11-29T15:00:00.600Z",
  });
  expect(narrowed(chosen, at("14:59:59.900"), at("15:00:09.500"))).toEqual(chosen);
  expect(narrowed({}, 0, Date.UTC(10_050, 0))).toEqual({
    since: "1970-01-01T00:00:00.000Z",
    until: "9999-12-31T23:59:59.999Z",
  });
});
