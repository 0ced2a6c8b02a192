/** The Merkle tree of RFC 6962 section 2.1, kept as its right edge: appending needs no history. */
import { concat, equal } from "../base/bytes.ts";
import { HASH_BYTES, type Hash } from "../base/crypto.ts";

/** The roots of the full subtrees that make up a tree of `size`, largest first: one per one-bit of `size`. */
export type Edge = { size: number; hashes: Uint8Array[] };

export const EMPTY_EDGE: Edge = { size: 0, hashes: [] };

/** Reused for every node: hashing is synchronous, and a fresh buffer a node costs as much as the hash. */
const node = new Uint8Array(1 + 2 * HASH_BYTES);
node[0] = 1;

/** RFC 6962 interior node: sha256(0x01 ‖ left ‖ right). */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash(node);
}

/** One bit per full subtree: how many hashes an edge of `size` has. */
export function edgeWidth(size: number): number {
  let width = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) width += rest % 2;
  return width;
}

/** The edge after `leaf`; the given one is left as it was. */
export const append = (hash: Hash, edge: Edge, leaf: Uint8Array): Edge => appendAll(hash, edge, [leaf]);

/** `onNode` is told each full subtree as it is completed: two to the power of `height` leaves, left to right. */
export function appendAll(
  hash: Hash,
  edge: Edge,
  leaves: readonly Uint8Array[],
  onNode?: (height: number, node: Uint8Array) => void,
): Edge {
  const hashes = [...edge.hashes];
  let size = edge.size;
  for (const leaf of leaves) {
    let node = leaf;
    let height = 0;
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = nodeHash(hash, hashes.pop()!, node);
      onNode?.(++height, node);
    }
    hashes.push(node);
    size++;
  }
  return { size, hashes };
}

/** The root; of an empty tree sha256 of nothing. */
export function root(hash: Hash, edge: Edge): Uint8Array {
  if (edge.size === 0) return hash(new Uint8Array(0));
  return edge.hashes.reduceRight((right, left) => nodeHash(hash, left, right));
}

/** An edge as bytes for a database row: its hashes one after another; the size stands beside it. */
export const edgeBytes = (edge: Edge): Uint8Array<ArrayBuffer> => concat(...edge.hashes);

/** @throws RangeError where the bytes cannot be the edge of a tree of that size */
export function edgeFromBytes(size: number, bytes: Uint8Array): Edge {
  if (bytes.length !== edgeWidth(size) * HASH_BYTES) {
    throw new RangeError(`an edge of ${bytes.length} bytes cannot belong to a tree of ${size}`);
  }
  const hashes = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.slice(at, at + HASH_BYTES));
  return { size, hashes };
}

/** Of the same size and the same hashes, and so of the same leaves. */
export const sameEdge = (a: Edge, b: Edge): boolean => a.size === b.size && equal(edgeBytes(a), edgeBytes(b));
