/** What ingest remembers of a trail between commits: its size and edge, and the unfinished tiles at its right edge.
 *  The row is the truth; a memory that disagrees with it is dropped and loaded again. */
import { HASH_BYTES } from "@sallyport/shared/base/crypto.ts";
import type { TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { leafHash } from "@sallyport/shared/trail/entry.ts";
import { type Edge, edgeFromBytes, nodeHash } from "@sallyport/shared/trail/tree.ts";
import { hash } from "../trail/crypto.ts";
import { type Asked, findRanges, type Range } from "../trail/ranges.ts";
import { readEntryRows, rebuildEntry } from "../trail/store.ts";

/** C2SP tlog-tiles: a full tile has 256 hashes, a full bundle 256 entries. */
export const TILE_HASHES = 256;
const TILE_HEIGHT = 8;

export type TrailState = "open" | "closed" | "forked";
export type TrailMemory = {
  num: number;
  id: TrailId;
  workstation: WorkstationId;
  state: TrailState;
  edge: Edge;
  /** Hashes since the last full tile, by tile level. */
  tails: Uint8Array[][];
  /** Entries since the last full bundle. */
  entries: string[];
  /** The row of record_range that grows, and its partition. */
  range: { from: number; partition: string } | undefined;
};

type Raw = {
  num: number;
  id: TrailId;
  workstation_id: WorkstationId;
  state: TrailState;
  size: string;
  edge: Buffer;
};

export async function loadTrail(pool: Asked, id: TrailId): Promise<TrailMemory | undefined> {
  const { rows } = await pool.query<Raw>(
    "SELECT num, id, workstation_id, state, size, edge FROM trail WHERE id = $1 AND workstation_id IS NOT NULL",
    [id],
  );
  const raw = rows[0];
  if (!raw) return undefined;
  const size = Number(raw.size);
  const ranges = await findRanges(pool, raw.num, Math.max(0, Math.min(wholeOf(size), size - 1)), size);
  const { tails, entries } = await loadTails(pool, raw.num, size, ranges);
  const last = ranges.at(-1);
  return {
    num: raw.num,
    id: raw.id,
    workstation: raw.workstation_id,
    state: raw.state,
    edge: edgeFromBytes(size, raw.edge),
    tails,
    entries,
    range: last && { from: last.begins, partition: last.partition },
  };
}

const wholeOf = (size: number): number => Math.floor(size / TILE_HASHES) * TILE_HASHES;

/** The unfinished tiles and bundle of a stored trail of `size`; `known` are the ranges they lie in, if they are. */
export async function loadTails(
  pool: Asked,
  num: number,
  size: number,
  known?: readonly Range[],
): Promise<Pick<TrailMemory, "tails" | "entries">> {
  const entries = await readEntries(pool, num, wholeOf(size), size, known);
  const tails: Uint8Array[][] = [entries.map((entry) => leafHash(hash, entry))];
  for (let level = 1, full = Math.floor(size / TILE_HASHES); full > 0; level++, full = Math.floor(full / TILE_HASHES)) {
    const from = Math.floor(full / TILE_HASHES) * TILE_HASHES;
    tails.push((await readTiles(pool, num, level - 1, from, full)).map(foldTile));
  }
  return { tails, entries };
}

async function readEntries(
  pool: Asked,
  num: number,
  from: number,
  to: number,
  known?: readonly Range[],
): Promise<string[]> {
  if (from >= to) return [];
  const rows = await readEntryRows(pool, num, known ?? (await findRanges(pool, num, from, to)));
  if (rows.length !== to - from)
    throw new Error(`trail ${num}: ${rows.length} of the ${to - from} entries from ${from} are in the store`);
  return rows.map(rebuildEntry);
}

/** Leaf hashes of what is stored, to compare with what is offered again. Full tiles first: they outlive the records. */
export async function storedLeaves(pool: Asked, num: number, from: number, to: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  for (let at = from; at < to; ) {
    const tile = Math.floor(at / TILE_HASHES);
    const [full] = await readTiles(pool, num, 0, tile, tile + 1);
    const end = Math.min(to, (tile + 1) * TILE_HASHES);
    if (full) leaves.push(...cutTile(full).slice(at % TILE_HASHES, (at % TILE_HASHES) + (end - at)));
    else leaves.push(...(await readEntries(pool, num, at, end)).map((entry) => leafHash(hash, entry)));
    at = end;
  }
  return leaves;
}

async function readTiles(pool: Asked, num: number, level: number, from: number, to: number): Promise<Buffer[]> {
  const { rows } = await pool.query<{ hashes: Buffer }>(
    "SELECT hashes FROM tile WHERE trail = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index",
    [num, level, from, to],
  );
  return rows.map(({ hashes }) => hashes);
}

const cutTile = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH_BYTES }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));

/** The root of a full tile: one hash of the level above. */
export function foldTile(bytes: Uint8Array): Uint8Array {
  let hashes = cutTile(bytes);
  while (hashes.length > 1)
    hashes = Array.from({ length: hashes.length / 2 }, (_, at) => nodeHash(hash, hashes[at * 2]!, hashes[at * 2 + 1]!));
  return hashes[0]!;
}

export type NewTile = { level: number; index: number; hashes: Buffer };
export type NewBundle = { index: number; entries: Buffer };

/** A copy that can be grown and thrown away, should the commit fail. */
export const copyOf = (trail: TrailMemory): TrailMemory => ({
  ...trail,
  tails: trail.tails.map((tail) => [...tail]),
  entries: [...trail.entries],
});

/** The roots of full tiles as the edge grew over them, by tile level: each node is hashed once. */
export class Folded {
  readonly #levels: Uint8Array[][] = [];
  readonly #taken: number[] = [];

  readonly note = (height: number, node: Uint8Array): void => {
    if (height % TILE_HEIGHT !== 0) return;
    const level = height / TILE_HEIGHT - 1;
    this.#levels[level] ??= [];
    this.#levels[level].push(node);
  };

  /** The next root of a full tile of `level`: they come in the order in which tiles become full. */
  readonly next = (level: number): Uint8Array => {
    const at = this.#taken[level] ?? 0;
    this.#taken[level] = at + 1;
    const node = this.#levels[level]?.[at];
    if (!node) throw new RangeError(`no tile of level ${level} became full with the edge`);
    return node;
  };
}

/** Adds leaves to the unfinished tiles; answers the tiles and bundles that became full. `trail.edge` is still the one
 *  before them. `fold` gives a full tile's root. */
export function growTiles(
  trail: Pick<TrailMemory, "edge" | "tails" | "entries">,
  leaves: readonly Uint8Array[],
  entries: readonly string[],
  fold: (level: number, hashes: Uint8Array) => Uint8Array = (_, hashes) => foldTile(hashes),
): { tiles: NewTile[]; bundles: NewBundle[] } {
  const tiles: NewTile[] = [];
  const bundles: NewBundle[] = [];
  let size = trail.edge.size;
  for (const [at, leaf] of leaves.entries()) {
    trail.entries.push(entries[at]!);
    pushHash(trail.tails, tiles, 0, leaf, size, fold);
    size++;
    if (trail.entries.length === TILE_HASHES) {
      bundles.push({ index: size / TILE_HASHES - 1, entries: bundleBytes(trail.entries) });
      trail.entries = [];
    }
  }
  return { tiles, bundles };
}

function pushHash(
  tails: Uint8Array[][],
  tiles: NewTile[],
  level: number,
  leaf: Uint8Array,
  at: number,
  fold: (level: number, hashes: Uint8Array) => Uint8Array,
): void {
  tails[level] ??= [];
  const tail = tails[level];
  tail.push(leaf);
  if (tail.length < TILE_HASHES) return;
  const hashes = Buffer.concat(tail);
  const index = Math.floor(at / TILE_HASHES);
  tiles.push({ level, index, hashes });
  tails[level] = [];
  pushHash(tails, tiles, level + 1, fold(level, hashes), index, fold);
}

/** C2SP tlog-tiles, entry bundles: each entry behind its length in two bytes, big-endian. */
export function bundleBytes(entries: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    at = bytes.writeUInt16BE(entry.length, at);
    at += bytes.write(entry, at, "latin1"); // an entry is plain ASCII
  }
  return bytes;
}
