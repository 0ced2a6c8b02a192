/** What the console does with a batch: a pure answer, so that it can be tested as a table and replayed. */
import { equal } from "../base/bytes.ts";
import type { Hash } from "../base/crypto.ts";
import { appendAll, type Edge, root } from "./tree.ts";

/** `leaves` are the leaf hashes of the batch's entries from index `from`; `checkpoint` is already verified. */
export type Offered = { from: number; leaves: readonly Uint8Array[]; checkpoint: { size: number; root: Uint8Array } };

/** The answer. `new`: append `leaves`, the edge moves. `duplicate`: nothing to do. `ahead`: something before it is
 *  missing. `fork`: the workstation signed something that contradicts what is stored. */
export type Accepted =
  | { answer: "new"; edge: Edge; skip: number }
  | { answer: "duplicate" }
  | { answer: "ahead" }
  | { answer: "fork"; reason: string };

/** `stored` are the leaf hashes the console has for indices `from` up to its size, as far as the batch reaches: empty
 *  where the batch begins at or beyond it. The checkpoint may only speak of the end of the batch: a root that cannot
 *  be checked now is not believed. `onNode` hears of the subtrees that the new leaves complete, whatever the answer. */
export function accept(
  hash: Hash,
  trail: Edge,
  offered: Offered,
  stored: readonly Uint8Array[],
  onNode?: (height: number, node: Uint8Array) => void,
): Accepted {
  const { from, leaves, checkpoint } = offered;
  const end = from + leaves.length;
  if (checkpoint.size !== end)
    return { answer: "fork", reason: `the checkpoint is of ${checkpoint.size}, the batch ends at ${end}` };
  if (from > trail.size) return { answer: "ahead" };
  const overlap = Math.min(end, trail.size) - from;
  for (let at = 0; at < overlap; at++) {
    if (!stored[at] || !equal(stored[at]!, leaves[at]!)) {
      return { answer: "fork", reason: `entry ${from + at} differs from the one that was committed` };
    }
  }
  if (end < trail.size) return { answer: "duplicate" };
  const edge = end === trail.size ? trail : appendAll(hash, trail, leaves.slice(overlap), onNode);
  if (!equal(root(hash, edge), checkpoint.root)) {
    return { answer: "fork", reason: `the signed root of size ${end} is not the root of what was committed and sent` };
  }
  return end === trail.size ? { answer: "duplicate" } : { answer: "new", edge, skip: overlap };
}
