/** Where an exported trail keeps what: C2SP tlog-tiles, and the contents beside them in the same bundles. */
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { HASH_BYTES, type Hash } from "../base/crypto.ts";
import { appendAll, EMPTY_EDGE, root } from "./tree.ts";

/** Hashes of a full tile, entries of a full bundle. */
export const TILE_WIDTH = 256;

const BUNDLED_BYTES_MAX = 0xffff;

/** `index` in groups of three digits, all but the last marked: 1234067 is x001/x234/067. */
function digits(index: number): string {
  const text = String(index);
  const padded = text.padStart(Math.ceil(text.length / 3) * 3, "0");
  const groups = padded.match(/.{3}/g)!;
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
}

/** A tile of hashes (`level` 0, 1 …), of entries, or of contents; a partial one says how wide it is. */
export function tilePath(level: number | "entries" | "contents", index: number, width: number): string {
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return level === "contents" ? `contents/${digits(index)}${partial}` : `tile/${level}/${digits(index)}${partial}`;
}

export type Tile = { index: number; width: number };

/** The tiles of `level` in a tree of `size`, the partial one last. */
export function* tilesOf(level: number, size: number): Generator<Tile> {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  for (let index = 0; index * TILE_WIDTH < hashes; index++)
    yield { index, width: Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) };
}

/** Levels that have a tile in a tree of `size`. */
export function levelsOf(size: number): number {
  let levels = 0;
  while (size >= TILE_WIDTH ** levels) levels++;
  return levels;
}

/** C2SP tlog-tiles entry bundle: each entry behind its length in two bytes, big-endian. Nothing where it is torn or no
 *  UTF-8. */
export function readBundle(untrusted: Uint8Array): string[] | undefined {
  const entries: string[] = [];
  for (let at = 0; at < untrusted.length; ) {
    const end = at + 2 + ((untrusted[at]! << 8) | untrusted[at + 1]!);
    if (!(end <= untrusted.length)) return undefined;
    try {
      entries.push(fromUtf8(untrusted.subarray(at + 2, end)));
    } catch {
      return undefined;
    }
    at = end;
  }
  return entries;
}

/** @throws RangeError where an entry is longer than two bytes can say */
export function writeBundle(entries: readonly string[]): Uint8Array {
  const all = entries.map(toUtf8);
  if (all.some((entry) => entry.length > BUNDLED_BYTES_MAX))
    throw new RangeError(`an entry of a bundle has at most ${BUNDLED_BYTES_MAX} bytes`);
  const bytes = new Uint8Array(all.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of all) {
    bytes.set([entry.length >> 8, entry.length & 0xff], at);
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** Leaves one after another → the bytes of each tile as it becomes full, lowest level first; `rest` gives the partial
 *  ones at the end. Holds one tile a level. */
export class Tiler {
  readonly #hash: Hash;
  readonly #open: Uint8Array[][] = [];
  readonly #full: number[] = [];

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  add(leaf: Uint8Array): { level: number; index: number; hashes: Uint8Array[] }[] {
    const full: { level: number; index: number; hashes: Uint8Array[] }[] = [];
    let next: Uint8Array | undefined = leaf;
    for (let level = 0; next; level++) {
      this.#open[level] ??= [];
      this.#full[level] ??= 0;
      const hashes: Uint8Array[] = this.#open[level]!;
      hashes.push(next);
      next = undefined;
      if (hashes.length < TILE_WIDTH) break;
      full.push({ level, index: this.#full[level]!++, hashes });
      this.#open[level] = [];
      next = root(this.#hash, appendAll(this.#hash, EMPTY_EDGE, hashes));
    }
    return full;
  }

  rest(): { level: number; index: number; hashes: Uint8Array[] }[] {
    return this.#open
      .map((hashes, level) => ({ level, index: this.#full[level]!, hashes }))
      .filter(({ hashes }) => hashes.length > 0);
  }
}

/** C2SP tlog-tiles: 32-byte hashes one after another. */
export function tileBytes(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [at, hash] of hashes.entries()) bytes.set(hash, at * HASH_BYTES);
  return bytes;
}
