/** The tree's right edge at any size the spool still covers: folded forward from the nearest one that is known. */

import { leafHash } from "@sallyport/shared/trail/entry.ts";
import { append, type Edge } from "@sallyport/shared/trail/tree.ts";
import { sha256 } from "../dom0/crypto.ts";

/** A window of batches, and some more for receipts that come late. */
const EDGES_MAX = 256;

export type Edges = { at(size: number): Edge; know(edge: Edge): void; reset(base: Edge): void };

/** `entries` reads the entries of `from` (inclusive) to `to` (exclusive). */
export function edgesOf(base: Edge, entries: (from: number, to: number) => Iterable<{ entry: string }>): Edges {
  let known: Edge[] = [base];
  const know = (edge: Edge) => {
    const at = known.findIndex((each) => each.size >= edge.size);
    if (at >= 0 && known[at]!.size === edge.size) return;
    known.splice(at < 0 ? known.length : at, 0, edge);
    if (known.length > EDGES_MAX) known.splice(1, 1);
  };
  return {
    know,
    /** @throws RangeError where the spool does not reach that size, or holds it no more */
    at(size) {
      const nearest = known.findLast((each) => each.size <= size);
      if (!nearest) throw new RangeError(`the tree of ${size} lies before what is held`);
      let edge = nearest;
      for (const { entry } of entries(nearest.size, size)) edge = append(sha256, edge, leafHash(sha256, entry));
      if (edge.size !== size) throw new RangeError(`the trail ends at ${edge.size}, before ${size}`);
      know(edge);
      return edge;
    },
    reset(edge) {
      known = [edge, ...known.filter((each) => each.size > edge.size)];
    },
  };
}
