import { expect, test } from "vitest";
import { clockTrack, moment, ticks } from "./time.tsx";

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

test("a column of times has room for the year where one is of another", () => {
  const now = new Date().toISOString();
  expect(clockTrack([middayOf(year - 1)])).toBe("176px");
  expect(clockTrack([now])).toBe("92px");
});
