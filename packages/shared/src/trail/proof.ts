/** Proofs of inclusion and consistency, RFC 9162 sections 2.1.3 and 2.1.4, over any source of subtree hashes. */
import { equal } from "../base/bytes.ts";
import type { HashLater } from "../base/crypto.ts";

/** The hash of the full subtree of 2^`level` leaves that starts at leaf `index` · 2^`level`. */
export type SubtreeHash = (level: number, index: number) => Uint8Array | Promise<Uint8Array>;

const NODE = Uint8Array.of(1);

async function node(hash: HashLater, left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes.set(NODE);
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return hash(bytes);
}

/** Largest power of two below `size`, as its exponent. */
function split(size: number): number {
  let level = 0;
  while (2 ** (level + 1) < size) level++;
  return level;
}

/** The hash over the leaves `from` (inclusive) to `to` (exclusive), `from` being a multiple of a power of two that
 *  covers the range, as RFC 6962's MTH splits it. */
async function range(hash: HashLater, at: SubtreeHash, from: number, to: number): Promise<Uint8Array> {
  const size = to - from;
  const level = Math.log2(size);
  if (Number.isInteger(level)) return at(level, from / size);
  const left = 2 ** split(size);
  return node(hash, await range(hash, at, from, from + left), await range(hash, at, from + left, to));
}

/** The audit path of leaf `index` in a tree of `size`, leaf upward. */
export async function inclusionProof(
  hash: HashLater,
  at: SubtreeHash,
  index: number,
  size: number,
): Promise<Uint8Array[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + 2 ** split(to - from);
    if (index < middle) {
      path.push(await range(hash, at, middle, to));
      to = middle;
    } else {
      path.push(await range(hash, at, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/** The root that `leaf` at `index` and the path lead to, or nothing where the path has the wrong length. */
export async function rootFromInclusion(
  hash: HashLater,
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Promise<Uint8Array | undefined> {
  if (!(index >= 0 && index < size)) return undefined;
  let node1 = index;
  let last = size - 1;
  let result = leaf;
  for (const step of path) {
    if (last === 0) return undefined;
    if (node1 % 2 === 1 || node1 === last) {
      result = await node(hash, step, result);
      while (node1 % 2 === 0 && node1 !== 0) {
        node1 = Math.floor(node1 / 2);
        last = Math.floor(last / 2);
      }
    } else {
      result = await node(hash, result, step);
    }
    node1 = Math.floor(node1 / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? result : undefined;
}

/** The consistency proof from the tree of `older` leaves to the one of `newer`. */
export async function consistencyProof(
  hash: HashLater,
  at: SubtreeHash,
  older: number,
  newer: number,
): Promise<Uint8Array[]> {
  if (!(older > 0 && older <= newer)) throw new RangeError(`no proof from ${older} to ${newer}`);
  const walk = async (from: number, to: number, whole: boolean): Promise<Uint8Array[]> => {
    if (older === to) return whole ? [] : [await range(hash, at, from, to)];
    const middle = from + 2 ** split(to - from);
    if (older <= middle) return [...(await walk(from, middle, whole)), await range(hash, at, middle, to)];
    return [...(await walk(middle, to, false)), await range(hash, at, from, middle)];
  };
  return walk(0, newer, true);
}

/** Whether the newer tree begins with the older one, after RFC 9162 section 2.1.4.2. */
export async function isConsistent(
  hash: HashLater,
  older: { size: number; root: Uint8Array },
  newer: { size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (older.size > newer.size) return false;
  if (older.size === newer.size) return proof.length === 0 && equal(older.root, newer.root);
  if (older.size === 0) return proof.length === 0;
  const path = Number.isInteger(Math.log2(older.size)) ? [older.root, ...proof] : [...proof];
  const first = path.shift();
  if (!first) return false;
  let node1 = older.size - 1;
  let last = newer.size - 1;
  while (node1 % 2 === 1) {
    node1 = Math.floor(node1 / 2);
    last = Math.floor(last / 2);
  }
  let a = first;
  let b = first;
  for (const step of path) {
    if (last === 0) return false;
    if (node1 % 2 === 1 || node1 === last) {
      a = await node(hash, step, a);
      b = await node(hash, step, b);
      while (node1 % 2 === 0 && node1 !== 0) {
        node1 = Math.floor(node1 / 2);
        last = Math.floor(last / 2);
      }
    } else {
      b = await node(hash, b, step);
    }
    node1 = Math.floor(node1 / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equal(a, older.root) && equal(b, newer.root);
}
