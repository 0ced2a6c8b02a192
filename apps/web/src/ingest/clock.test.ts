import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClockWatch, doubtWords, JUMP_MS, STANDS_MS } from "./clock.ts";

const START_MS = Date.parse("2026-11-24T08:00:00Z");
const YEAR_MS = 365 * 86_400_000;
/** Looks at (monotonic, how far off the wall clock is); answers whether each was in doubt. */
const looks = (...seen: [number, number][]) => {
  const watch = new ClockWatch(START_MS, 0);
  return seen.map(([at, off]) => watch.look(START_MS + at + off, at) !== undefined);
};

describe("a clock", () => {
  it.each<[string, [number, number][], boolean[]]>([
    [
      "that runs is believed",
      [
        [1_000, 0],
        [9_000_000, 0],
      ],
      [false, false],
    ],
    [
      "that is slewed by minutes is believed",
      [
        [1_000, 300_000],
        [2_000, -300_000],
      ],
      [false, false],
    ],
    [
      "a year ahead for two minutes never is",
      [
        [1_000, YEAR_MS],
        [121_000, YEAR_MS],
        [122_000, 0],
      ],
      [true, true, false],
    ],
    ["set back by an hour is in doubt", [[1_000, -3_600_000]], [true]],
    [
      "that was set and stands is believed in the end",
      [
        [0, YEAR_MS],
        [STANDS_MS - 1, YEAR_MS],
        [STANDS_MS, YEAR_MS],
        [STANDS_MS + 1, YEAR_MS],
      ],
      [true, true, false, false],
    ],
    [
      "that jumps on begins to stand anew",
      [
        [0, YEAR_MS],
        [STANDS_MS - 1, 2 * YEAR_MS],
        [STANDS_MS, 2 * YEAR_MS],
      ],
      [true, true, true],
    ],
    [
      "that was believed a year off is in doubt when it goes back",
      [
        [0, YEAR_MS],
        [STANDS_MS, YEAR_MS],
        [STANDS_MS + 1, 0],
      ],
      [true, false, true],
    ],
  ])("%s", (_name, seen, doubted) => expect(looks(...seen)).toEqual(doubted));

  it("is never believed at a jump that has not stood, wherever it goes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 }), (days) => {
        const watch = new ClockWatch(START_MS, 0);
        const away = days.map((day, at) => watch.look(START_MS + at + day * 86_400_000, at));
        expect(away.every((doubt) => doubt !== undefined && Math.abs(doubt.byMs) > JUMP_MS)).toBe(true);
        expect(watch.look(START_MS + days.length, days.length)).toBeUndefined();
      }),
    );
  });

  it("is told in words that say how far, which way, and what to do", () => {
    expect(doubtWords({ byMs: YEAR_MS, sinceMs: 0 })).toContain("jumped 365 days ahead");
    expect(doubtWords({ byMs: -3 * 3_600_000, sinceMs: 0 })).toContain("jumped 3 hours back");
    expect(doubtWords({ byMs: JUMP_MS + 1, sinceMs: 0 })).toContain("jumped 10 minutes ahead");
  });
});
