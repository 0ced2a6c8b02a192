import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { giveUp } from "./give-up.ts";

type Row = { idx: number; way: number; bytes: number };

/** A store that is a list. */
function storeOf(rows: readonly Row[]) {
  let held = [...rows];
  return {
    held: () => held,
    oldest: (from: number, way: number, count: number) =>
      held.filter((row) => row.idx >= from && row.way === way).slice(0, count),
    giveUp: (from: number, to: number, way: number) => {
      held = held.filter((row) => row.way !== way || row.idx < from || row.idx > to);
      return undefined;
    },
  };
}

const rows = fc
  .array(fc.record({ way: fc.nat(2), bytes: fc.integer({ min: 1, max: 500 }) }), { maxLength: 40 })
  .map((all) => all.map((row, idx) => ({ ...row, idx })));
const bytesOf = (all: readonly Row[]) => all.reduce((total, { bytes }) => total + bytes, 0);

describe("contents that give way", () => {
  it("are the oldest of their way alone, no more than are needed, and counted to the byte", () => {
    fc.assert(
      fc.property(
        rows,
        fc.constantFrom<0 | 1>(0, 1),
        fc.integer({ min: 1, max: 5_000 }),
        fc.nat(40),
        (all, way, wanted, start) => {
          const store = storeOf(all);
          const given = giveUp(store, way, wanted, start, all.length);
          const gone = all.filter((row) => !store.held().includes(row));
          const could = all.filter((row) => row.way === way && row.idx >= start);
          expect(gone).toEqual(could.slice(0, gone.length));
          if (!given) {
            expect(could).toEqual([]);
            return;
          }
          expect(given).toEqual({
            from: gone[0]!.idx,
            to: gone.at(-1)!.idx + 1,
            contents: gone.length,
            bytes: bytesOf(gone),
          });
          expect(given.bytes >= wanted || gone.length === could.length).toBe(true);
          expect(bytesOf(gone.slice(0, -1))).toBeLessThan(wanted);
        },
      ),
    );
  });
});
