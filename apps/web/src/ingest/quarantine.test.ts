import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { expect, test } from "vitest";
import type { Refused } from "./judge.ts";
import { once, share } from "./quarantine.ts";

const refused = (workstation: string | undefined, size: number, code: Refused["code"] = "malformed"): Refused => ({
  code,
  workstation: workstation as WorkstationId | undefined,
  topic: "t",
  reason: `of ${size}`,
  bytes: new Uint8Array(size),
});
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test("of one sender sixty a minute are kept, and the others counted by what was wrong with them", () => {
  const flood = [...times(100, () => refused("a", 10)), ...times(7, () => refused("a", 20, "hash"))];
  const { kept, more } = share(flood, new Map());
  expect(kept).toHaveLength(60);
  expect(more).toMatchObject([
    { count: 40, size: 400, last: { code: "malformed" } },
    { count: 7, size: 140, last: { code: "hash" } },
  ]);
});

test("a flood of one takes nothing from another, nor from who has no name", () => {
  const { kept, more } = share(
    [...times(70, () => refused("a", 1)), refused("b", 1), refused(undefined, 1)],
    new Map([["b", { rows: 59, bytes: 0 }]]),
  );
  expect(kept.map(({ workstation }) => workstation).slice(-2)).toEqual(["b", undefined]);
  expect(more.map(({ count }) => count)).toEqual([10]);
});

test("what was kept within the minute counts, in messages and in bytes", () => {
  const lately = new Map([
    ["a", { rows: 60, bytes: 0 }],
    ["b", { rows: 1, bytes: 1024 * 1024 - 10 }],
  ]);
  const { kept, more } = share([refused("a", 1), refused("b", 11), refused("b", 10)], lately);
  expect(kept.map(({ reason }) => reason)).toEqual(["of 10"]);
  expect(more.map(({ count, size }) => [count, size])).toEqual([
    [1, 1],
    [1, 11],
  ]);
});

test("a large message takes up only what is kept of it", () => {
  const { kept } = share(
    times(20, () => refused("a", 10_000_000)),
    new Map(),
  );
  expect(kept).toHaveLength(16);
});

test("the same message again is one that came so many times more, and of a flood all of them are counted", () => {
  const came = once([...times(3, () => refused("a", 5)), refused("b", 5), refused("a", 5, "hash"), refused("a", 6)]);
  expect(came.map(({ workstation, code, again }) => [workstation, code, again])).toEqual([
    ["a", "malformed", 2],
    ["b", "malformed", 0],
    ["a", "hash", 0],
    ["a", "malformed", 0],
  ]);
  const { more } = share(came, new Map([["a", { rows: 60, bytes: 0 }]]));
  expect(more.map(({ count, size }) => [count, size])).toEqual([
    [4, 21],
    [1, 5],
  ]);
});
