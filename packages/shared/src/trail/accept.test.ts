import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash } from "../../test/keys.ts";
import { type Accepted, accept } from "./accept.ts";
import { appendAll, EMPTY_EDGE, root } from "./tree.ts";

const leaves = Array.from({ length: 40 }, (_, at) => hash(Uint8Array.of(0, at)));
const others = Array.from({ length: 40 }, (_, at) => hash(Uint8Array.of(0, at, 1)));
const edgeOf = (size: number, from = leaves) => appendAll(hash, EMPTY_EDGE, from.slice(0, size));
const checkpointOf = (size: number, from = leaves) => ({ size, root: root(hash, edgeOf(size, from)) });

/** What the console answers when it has `size` and is offered `from`..`to` of `sent`. */
function answer(size: number, from: number, to: number, sent = leaves, checkpoint = checkpointOf(to, sent)): Accepted {
  return accept(
    hash,
    edgeOf(size),
    { from, leaves: sent.slice(from, to), checkpoint },
    leaves.slice(from, Math.max(from, Math.min(size, to))),
  );
}
const forged = leaves.map((leaf, at) => (at === 7 ? others[7]! : leaf));

describe("accept", () => {
  it.each([
    ["the first batch of an empty trail", answer(0, 0, 3), "new"],
    ["the batch that comes next", answer(5, 5, 9), "new"],
    ["a batch it has whole", answer(9, 5, 9), "duplicate"],
    ["a batch it has, from before the end", answer(9, 2, 5), "duplicate"],
    ["a batch that begins in what it has and goes beyond", answer(6, 4, 9), "new"],
    ["a batch after one that is missing", answer(5, 6, 9), "ahead"],
    ["a known index with another entry", answer(9, 5, 9, forged), "fork"],
    ["an overlap with another entry", answer(8, 7, 12, forged), "fork"],
    ["a signed root over another past", answer(9, 9, 12, forged), "fork"],
    ["a root that is not of these leaves", answer(5, 5, 9, leaves, checkpointOf(9, others)), "fork"],
    ["a checkpoint of another size", answer(5, 5, 9, leaves, checkpointOf(8)), "fork"],
    ["nothing new under a wrong root of the same size", answer(9, 5, 9, leaves, { size: 9, root: others[0]! }), "fork"],
  ])("%s: %o", (_name, got, wanted) => expect(got.answer).toBe(wanted));

  it("however batches are cut, doubled and swapped, ends at the tree of all the leaves, once each, in order", () => {
    const range = fc.tuple(fc.nat(39), fc.integer({ min: 1, max: 12 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 60 }), (ranges) => {
        let edge = EMPTY_EDGE;
        const kept: Uint8Array[] = [];
        for (const [start, length] of ranges) {
          const from = start;
          const to = Math.min(40, start + length);
          const got = accept(
            hash,
            edge,
            { from, leaves: leaves.slice(from, to), checkpoint: checkpointOf(to) },
            kept.slice(from, to),
          );
          expect(got.answer).not.toBe("fork");
          expect(got.answer === "ahead").toBe(from > kept.length);
          if (got.answer !== "new") continue;
          kept.push(...leaves.slice(from + got.skip, to));
          edge = got.edge;
        }
        expect(kept).toEqual(leaves.slice(0, kept.length));
        expect(edge).toEqual(edgeOf(kept.length));
      }),
    );
  });
});
