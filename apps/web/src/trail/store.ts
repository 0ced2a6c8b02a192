/** Trails ↔ Postgres: what a browser needs to prove a record for itself. */
import { toBase64, toHex } from "@sallyport/shared/base/bytes.ts";
import { HASH_BYTES } from "@sallyport/shared/base/crypto.ts";
import type { GuestId, Sha256, Time } from "@sallyport/shared/base/ids.ts";
import type { Kind } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { readCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { inclusionProof } from "@sallyport/shared/trail/proof.ts";
import { nodeHash } from "@sallyport/shared/trail/tree.ts";
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";
import { type Asked, findRanges, IN_RANGE, type Range, readRanges } from "./ranges.ts";
import { sha256 } from "./sha256.ts";

/** C2SP tiles are eight levels high. */
const TILE_LEVELS = 8;
const TILE_HASHES = 256;

export type Proof = {
  origin: string;
  publicKey: string;
  checkpoint: string;
  size: number;
  index: number;
  entry: string;
  path: string[];
};

export type EntryRow = {
  index: string;
  time: Date;
  kind: string;
  severity: number;
  guest: string | null;
  content_hash: Buffer;
};

/** What an entry is rebuilt from, in order of index. */
export const readEntryRows = (db: Asked, num: number, ranges: readonly Range[]): Promise<EntryRow[]> =>
  readRanges<EntryRow>(
    db,
    num,
    ranges,
    `SELECT r.index, r.time, r.kind, r.severity, r.guest, r.content_hash FROM record r WHERE ${IN_RANGE}`,
  );

/** The very bytes that were hashed, from the columns. */
export function rebuildEntry(row: EntryRow): string {
  return entryText({
    index: Number(row.index),
    time: row.time.toISOString() as Time,
    kind: row.kind as Kind,
    severity: SEVERITIES[row.severity] ?? "info",
    ...(row.guest !== null && { guest: row.guest as GuestId }),
    content: toHex(row.content_hash) as Sha256,
  });
}

export async function proveRecord(pool: Pool, num: number, index: number): Promise<Proof> {
  const { rows } = await pool.query<{ origin: string; public_key: Buffer; checkpoint: string | null }>(
    "SELECT origin, public_key, checkpoint FROM trail WHERE num = $1",
    [num],
  );
  const trail = rows[0];
  if (!trail) throw new Refusal("NOT_FOUND", `There is no trail ${num}.`);
  if (!trail.checkpoint) throw new Refusal("PRECONDITION_FAILED", "This trail has no checkpoint yet.");
  const checkpoint = readCheckpoint(trail.checkpoint);
  if (!checkpoint.ok)
    throw new Refusal("PRECONDITION_FAILED", `The stored checkpoint cannot be read: ${checkpoint.error}`);
  const { size } = checkpoint.value;
  if (index >= size)
    throw new Refusal("NOT_FOUND", `The newest checkpoint covers ${size} records, not yet record ${index}.`);
  const [entry] = await entries(pool, num, index, index + 1);
  if (entry === undefined) throw new Refusal("NOT_FOUND", `The entry of record ${index} is not in the store.`);
  const path = await inclusionProof(sha256, (level, at) => subtree(pool, num, level, at), index, size);
  return {
    origin: trail.origin,
    publicKey: toBase64(trail.public_key),
    checkpoint: trail.checkpoint,
    size,
    index,
    entry,
    path: path.map(toBase64),
  };
}

async function entries(pool: Pool, num: number, from: number, to: number): Promise<string[]> {
  return (await readEntryRows(pool, num, await findRanges(pool, num, from, to))).map(rebuildEntry);
}

/** The hash of the full subtree at (level, at): from the tile that holds it; where that one is not full yet, from the
 *  full tiles below it, or from the entries themselves. */
async function subtree(pool: Pool, num: number, level: number, at: number): Promise<Uint8Array> {
  const tileLevel = Math.floor(level / TILE_LEVELS);
  const width = 2 ** (level % TILE_LEVELS);
  const first = at * width;
  const [tile] = await tiles(pool, num, tileLevel, Math.floor(first / TILE_HASHES), 1);
  if (tile) return fold(tile.slice(first % TILE_HASHES, (first % TILE_HASHES) + width));
  const below =
    tileLevel === 0
      ? (await entries(pool, num, first, first + width)).map((entry) => leafHash(sha256, entry))
      : (await tiles(pool, num, tileLevel - 1, first, width)).map(fold);
  if (below.length === width) return fold(below);
  if (level === 0)
    throw new Refusal("PRECONDITION_FAILED", `Entry ${at} is not in the store, and no tile holds its hash.`);
  return nodeHash(sha256, await subtree(pool, num, level - 1, at * 2), await subtree(pool, num, level - 1, at * 2 + 1));
}

async function tiles(pool: Pool, num: number, level: number, from: number, count: number): Promise<Uint8Array[][]> {
  const { rows } = await pool.query<{ hashes: Buffer }>(
    "SELECT hashes FROM tile WHERE trail = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index",
    [num, level, from, from + count],
  );
  return rows.map(({ hashes }) => cut(hashes));
}

const cut = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH_BYTES }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));

/** The root of a full subtree from its leaves, a power of two of them. */
function fold(hashes: Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1)
    level = Array.from({ length: level.length / 2 }, (_, at) => nodeHash(sha256, level[at * 2]!, level[at * 2 + 1]!));
  return level[0]!;
}
