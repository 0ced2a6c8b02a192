import fc from "fast-check";
import { expect, test } from "vitest";
import { LINES_MAX, mergeLines } from "./lines.ts";

const line = fc.record({
  trail: fc.integer({ min: 1, max: 3 }),
  index: fc.nat(400),
  received: fc.integer({ min: 0, max: 50 }).map((at) => new Date(at * 1_000).toISOString()),
});

test("however frames overlap, each line stands once, newest first, and never more than the bound", () => {
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 300 }), { maxLength: 5 }), (frames) => {
      const rows = frames.reduce<(typeof frames)[number]>((kept, frame) => mergeLines(kept, frame), []);
      const keys = rows.map(({ trail, index }) => `${trail}.${index}`);
      expect(new Set(keys).size).toBe(keys.length);
      expect(rows.length).toBeLessThanOrEqual(LINES_MAX);
      expect([...rows].sort((a, b) => (a.received < b.received ? 1 : a.received > b.received ? -1 : 0))).toEqual(rows);
    }),
  );
});

test("a line that was committed late takes its place by when it was received", () => {
  const at = (index: number, received: string) => ({ trail: 1, index, received });
  const merged = mergeLines([at(2, "2026-01-01T00:00:02.000Z")], [{ ...at(9, "2026-01-01T00:00:01.000Z"), trail: 2 }]);
  expect(merged.map(({ index }) => index)).toEqual([2, 9]);
});
