import { expect, it } from "vitest";
import { Restarts } from "./ids-restarts.ts";

const MINUTE = 60_000;
/** A look at `at` of one that began at `began`, with an answer that took `took`. */
const at = (now: number, began: number, took = 0) => ({
  before: now,
  upSeconds: Math.floor((now + took - began) / 1000),
  after: now + took,
});

it("one that runs on is told of at no look, however long its answer takes", () => {
  const restarts = new Restarts();
  for (let now = MINUTE; now < 100 * MINUTE; now += 20_137) expect(restarts.look(at(now, 500, now % 19_000))).toBe(0);
});

it("one that began anew between two looks is told of once", () => {
  const restarts = new Restarts();
  expect([at(MINUTE, 0), at(2 * MINUTE, 90_000), at(3 * MINUTE, 90_000)].map((each) => restarts.look(each))).toEqual([
    0, 1, 0,
  ]);
});

it("one that was told to end, or whose silence was told, is expected to begin anew, for a while", () => {
  const restarts = new Restarts();
  restarts.look(at(MINUTE, 0));
  restarts.expect(MINUTE);
  expect(restarts.look(at(2 * MINUTE, 70_000))).toBe(0);
  expect(restarts.look(at(5 * MINUTE, 4 * MINUTE))).toBe(1);
});

it("one that falls over all the time is told of each ten minutes, with how often", () => {
  const restarts = new Restarts();
  const told = Array.from({ length: 30 }, (_, minute) => restarts.look(at(minute * MINUTE, minute * MINUTE - 20_000)));
  expect(told.flatMap((count, minute) => (count > 0 ? [[minute, count]] : []))).toEqual([
    [1, 1],
    [11, 10],
    [21, 10],
  ]);
});
