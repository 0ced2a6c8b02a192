import { expect, it } from "vitest";
import { agree, hear, issuedBy, latestOf, type Moments } from "./moments.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-24T10:00:00Z");
const at = (days: number) => NOW + days * DAY;
const days = (moments: Moments | undefined) =>
  moments && { floor: (moments.floor - NOW) / DAY, heard: (moments.heard - NOW) / DAY };
const stands = { floor: at(-1), heard: at(-1) };

it.each<[string, number, Moments, number, { floor: number; heard: number } | undefined]>([
  ["moves the floor up to dom0's own clock", at(0), stands, at(0), { floor: 0, heard: 0 }],
  ["moves it no further, and is heard", at(0), stands, at(0.5), { floor: 0, heard: 0.5 }],
  ["does not go back", at(0), { floor: at(0), heard: at(0.5) }, at(-3), { floor: 0, heard: 0.5 }],
  ["moves nothing more than a day ahead", at(0), stands, at(1.01), undefined],
  ["walks nowhere by steps", at(0), { floor: at(0), heard: at(1) }, at(1.9), undefined],
  ["is heard for a month where dom0's clock is dead", at(-9_000), stands, at(3), { floor: -1, heard: 3 }],
  ["is not heard for a thousand years there either", at(-9_000), stands, at(360_000), undefined],
])("the console's clock %s", (_, own, moments, time, wanted) => expect(days(hear(own, moments, time))).toEqual(wanted));

it.each<[string, number, Moments, number, { floor: number; heard: number }]>([
  ["takes back what was heard beyond it", at(0), { floor: at(0), heard: at(1) }, at(0), { floor: 0, heard: 0 }],
  [
    "takes a floor back that dom0's clock denies",
    at(0),
    { floor: at(9_000), heard: 0 },
    at(0),
    { floor: 0, heard: -NOW / DAY },
  ],
  [
    "leaves a floor that is no more than a day beyond",
    at(0),
    { floor: at(0.9), heard: at(0.9) },
    at(0),
    { floor: 0.9, heard: 0 },
  ],
  ["that comes late takes nothing back", at(0), { floor: at(9), heard: at(9) }, at(-3), { floor: 9, heard: 9 }],
  ["stands for a clock that is dead", at(-9_000), { floor: at(-30), heard: at(9) }, at(0), { floor: 0, heard: 0 }],
])("what people sign %s", (_, own, moments, issued, wanted) =>
  expect(days(agree(own, moments, issued))).toEqual(wanted),
);

it("an allowance ends by the latest of all clocks, and the console's word adds at most a day to dom0's", () => {
  expect(latestOf(at(0), { floor: at(-1), heard: at(0.5) })).toBe(at(0.5));
  expect(latestOf(at(0), { floor: at(-1), heard: at(9) })).toBe(at(1));
  expect(latestOf(at(0), { floor: at(2), heard: at(1) })).toBe(at(2));
});

it("what is issued is measured by dom0's clock, and by the console's word where that clock is behind the floor", () => {
  expect(issuedBy(at(0), { floor: at(-1), heard: at(0.9) })).toBe(at(0));
  expect(issuedBy(at(-9_000), { floor: at(-1), heard: at(2) })).toBe(at(2));
});
