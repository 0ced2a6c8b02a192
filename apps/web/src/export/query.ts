/** Postgres → what an export is made of. Entries come from full bundles where there are, else from the records. */
import { readBundle, TILE_WIDTH } from "@sallyport/shared/trail/layout.ts";
import { type Asked, findRanges, IN_RANGE, readRanges } from "../trail/ranges.ts";
import { readEntryRows, rebuildEntry } from "../trail/store.ts";

export type ExportedTrail = {
  num: number;
  id: string;
  workstation: string | null;
  name: string;
  origin: string;
  publicKey: Uint8Array;
  state: string;
  size: number;
  checkpoint: string;
  previous: string | null;
};

type TrailRow = Omit<ExportedTrail, "size" | "publicKey" | "checkpoint"> & {
  size: string;
  public_key: Uint8Array;
  checkpoint: string | null;
};

/** Trails of a workstation named by id, name or host name (`console` for the console's own), newest first. */
export async function findTrails(db: Asked, workstation: string): Promise<ExportedTrail[]> {
  const { rows } = await db.query<TrailRow>(
    `SELECT num, trail.id, workstation_id AS workstation, coalesce(name, 'console') AS name, origin, public_key,
            trail.state, size, checkpoint, previous_id AS previous
       FROM trail LEFT JOIN workstation ON workstation.id = workstation_id
      WHERE CASE WHEN $1::text = 'console' THEN workstation_id IS NULL
                 ELSE workstation.id::text = $1 OR name = $1 OR hostname = $1 END
      ORDER BY num DESC`,
    [workstation],
  );
  return rows.flatMap(({ public_key, size, checkpoint, ...row }) =>
    checkpoint === null ? [] : [{ ...row, publicKey: public_key, size: Number(size), checkpoint }],
  );
}

/** The entries of bundle `index` in a trail of `size`. */
export async function readBundleEntries(db: Asked, trail: number, index: number, width: number): Promise<string[]> {
  if (width === TILE_WIDTH) {
    const full = await db.query<{ entries: Uint8Array }>(
      'SELECT entries FROM entry_bundle WHERE trail = $1::int AND "index" = $2::bigint',
      [trail, index],
    );
    const entries = full.rows[0] && readBundle(full.rows[0].entries);
    if (entries) return entries;
  }
  const from = index * TILE_WIDTH;
  const rows = await readEntryRows(db, trail, await findRanges(db, trail, from, from + width));
  if (rows.length !== width)
    throw new Error(`Trail ${trail} has ${rows.length} of the ${width} records from ${from} on: the store is damaged.`);
  return rows.map(rebuildEntry);
}

export type ContentRow = { index: number; salt: Uint8Array; content: Uint8Array };

export async function readContents(db: Asked, trail: number, from: number, to: number): Promise<ContentRow[]> {
  const rows = await readRanges<{ index: string; salt: Uint8Array; content: Uint8Array }>(
    db,
    trail,
    await findRanges(db, trail, from, to),
    `SELECT r.index, r.salt, r.content FROM record r
      WHERE ${IN_RANGE} AND r.salt IS NOT NULL AND r.content IS NOT NULL`,
  );
  return rows.map((row) => ({ ...row, index: Number(row.index) }));
}
