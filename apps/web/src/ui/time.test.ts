import { expect, test } from "vitest";
import { clockTrack, moment, span, spanAhead, ticks } from "./time.tsx";

const DAY = 86_400_000;
const year = new Date().getFullYear();
const middayOf = (of: number) => new Date(of, 5, 15, 12).toISOString();

test("a moment of another year names it, wherever it is shown; one of this year does not", () => {
  const [past, present] = [year - 1, year].map(middayOf) as [string, string];
  expect(moment(past)).toMatch(new RegExp(`^15 Jun ${year - 1}, 12:00:00`));
  expect(moment(present)).toMatch(/^15 Jun, 12:00:00/);
  const [at, here] = [Date.parse(past), Date.parse(present)];
  expect(ticks(at, at + 28 * DAY, 28 * DAY)).toContain(String(year - 1));
  expect(ticks(at, at + 1_000, 1_000)).toContain(String(year - 1));
  expect(ticks(here, here + 1_000, 1_000)).not.toContain(String(year));
});

test("what lies ahead is rounded to the nearest, so that a day just given is a day; what is past, down", () => {
  const justMade = 1_500;
  expect([1, 7, 90].map((days) => spanAhead(days * DAY - justMade))).toEqual(["24 h", "7 d", "90 d"]);
  expect([59_400, 3_570_000, 31 * 3_600_000].map(spanAhead)).toEqual(["59 s", "1 h", "31 h"]);
  expect([DAY - justMade, 7 * DAY - justMade].map(span)).toEqual(["23 h", "6 d"]);
});

test("a column of times has room for the year where one is of another", () => {
  const now = new Date().toISOString();
  expect(clockTrack([middayOf(year - 1)])).toBe("176px");
  expect(clockTrack([now])).toBe("92px");
});
