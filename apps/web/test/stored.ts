/** What the store holds of a trail, read as an auditor would. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { appendAll, EMPTY_EDGE, edgeFromBytes, root } from "@sallyport/shared/trail/tree.ts";
import type pg from "pg";
import { storedLeaves } from "../src/ingest/trails.ts";
import { hash } from "../src/trail/crypto.ts";
import { type EntryRow, rebuildEntry } from "../src/trail/store.ts";

/** Entries rebuilt from the columns, in order of index; a doubled one would be there twice. */
export async function entriesOf(pool: pg.Pool, trail: string): Promise<string[]> {
  const { rows } = await pool.query<EntryRow>(
    `SELECT r.index, r.time, r.kind, r.severity, r.guest, r.content_hash FROM record r JOIN trail t ON t.num = r.trail
      WHERE t.id = $1 ORDER BY r.index`,
    [trail],
  );
  return rows.map(rebuildEntry);
}

/** The root of the edge on the trail's row. */
export async function storedRoot(pool: pg.Pool, trail: string): Promise<string> {
  const { rows } = await pool.query<{ size: string; edge: Buffer }>("SELECT size, edge FROM trail WHERE id = $1", [
    trail,
  ]);
  return toHex(root(hash, edgeFromBytes(Number(rows[0]!.size), rows[0]!.edge)));
}

/** The root over the leaves in full tiles, and the records behind the last one. */
export async function leavesRoot(pool: pg.Pool, trail: string): Promise<string> {
  const { rows } = await pool.query<{ num: number; size: string }>("SELECT num, size FROM trail WHERE id = $1", [
    trail,
  ]);
  const leaves = await storedLeaves(pool, rows[0]!.num, 0, Number(rows[0]!.size));
  return toHex(root(hash, appendAll(hash, EMPTY_EDGE, leaves)));
}
