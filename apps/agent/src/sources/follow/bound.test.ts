import { describe, expect, it } from "vitest";
import { type Lives, over, read } from "./bound.ts";
import { asideSuffix, currentName, isRotatedName } from "./rotated.ts";

const file = (inode: string, size: number) => ({
  path: `/log/eve.json.${inode}`,
  facts: { inode, size, modifiedMs: 0 },
});
const lives = (reads: string | undefined, sizes: number[], current = 10, path = "/log/eve.json"): Lives => ({
  path,
  current: { inode: "now", size: current, modifiedMs: 1 },
  older: sizes.map((size, at) => file(String(at + 1), size)),
  reads,
});

describe("files that are followed", () => {
  it("go once they were read, and not before", () => {
    expect(read([lives("now", [10, 10])])).toEqual(["/log/eve.json.1", "/log/eve.json.2"]);
    expect(read([lives("2", [10, 10, 10])])).toEqual(["/log/eve.json.1"]);
    expect(read([lives(undefined, [10, 10])])).toEqual([]);
    expect(read([lives("of another life", [10, 10])])).toEqual([]);
  });
  it("go unread past the bound, oldest first, but for the one that is being read", () => {
    expect(over([lives("1", [10, 10, 10], 10)], 40)).toEqual([]);
    expect(over([lives("1", [10, 10, 10], 10)], 25)).toMatchObject([
      { path: "/log/eve.json.2", size: 10 },
      { path: "/log/eve.json.3", size: 10 },
    ]);
    expect(over([lives("1", [10], 100)], 25)).toEqual([]); // the one that is written goes with the next look
  });
  it("go of whoever wrote most", () => {
    const noisy = lives(undefined, [30, 30, 30], 0, "/log/guest-noisy.log");
    const quiet = lives(undefined, [20], 5, "/log/guest-quiet.log");
    expect(over([quiet, noisy], 60).map(({ name }) => name)).toEqual(["/log/guest-noisy.log", "/log/guest-noisy.log"]);
  });
});

it("a rotated file's name tells what it was called", () => {
  const name = `eve.json${asideSuffix(Date.parse("2026-11-28T23:15:00.123Z"))}`;
  expect(name).toBe("eve.json.20261128T231500-123");
  expect(isRotatedName(name, "eve.json")).toBe(true);
  expect(currentName(name)).toBe("eve.json");
  expect(currentName("guest-work-2.log")).toBe("guest-work-2.log");
});
