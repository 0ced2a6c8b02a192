import { expect, test } from "vitest";
import { retryAfterMs, waitMs } from "./pace.ts";

test("waits double from five seconds to a quarter of an hour, a quarter more or less", () => {
  expect([1, 2, 3, 8, 9, 60].map((failures) => waitMs(failures, 0.5))).toEqual([
    5_000, 10_000, 20_000, 640_000, 900_000, 900_000,
  ]);
  expect([waitMs(1, 0), waitMs(1, 1)]).toEqual([3_750, 6_250]);
});

test("a receiver that asks for longer gets it, up to an hour", () =>
  expect([waitMs(1, 0.5, 60_000), waitMs(9, 0.5, 60_000), waitMs(1, 0.5, 1e12)]).toEqual([60_000, 900_000, 3_600_000]));

test("Retry-After is seconds or a date, and anything else says nothing", () => {
  const now = Date.parse("2026-11-29T15:00:00Z");
  expect(
    ["30", "Sun, 29 Nov 2026 15:01:00 GMT", "Sun, 29 Nov 2026 14:00:00 GMT", "-5", "soon", "", undefined].map(
      (header) => retryAfterMs(header, now),
    ),
  ).toEqual([30_000, 60_000, 0, 0, 0, 0, 0]);
});
