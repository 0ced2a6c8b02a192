/** Postgres → what an export is made of. Entries come from full bundles where there are, else from the records. */
import { readBundle, TILE_WIDTH } from "@sallyport/shared/trail/layout.ts";
import type pg from "pg";
import { rebuildEntry } from "../trail/store.ts";

/** Asks within the caller's transaction. */
export type Query = <Row extends object>(sql: string, values: readonly unknown[]) => Promise<Row[]>;

export const queryOf =
  (client: pg.PoolClient): Query =>
  async <Row extends object>(sql: string, values: readonly unknown[]) =>
    (await client.query<Row & pg.QueryResultRow>(sql, [...values])).rows;

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
export async function findTrails(query: Query, workstation: string): Promise<ExportedTrail[]> {
  const rows = await query<TrailRow>(
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
export async function readBundleEntries(query: Query, trail: number, index: number, width: number): Promise<string[]> {
  if (width === TILE_WIDTH) {
    const [row] = await query<{ entries: Uint8Array }>(
      'SELECT entries FROM entry_bundle WHERE trail = $1::int AND "index" = $2::bigint',
      [trail, index],
    );
    const entries = row && readBundle(row.entries);
    if (entries) return entries;
  }
  const rows = await query<Parameters<typeof rebuildEntry>[0]>(
    `SELECT "index", "time", kind, severity, guest, content_hash FROM record
      WHERE trail = $1::int AND "index" >= $2::bigint AND "index" < $3::bigint ORDER BY "index"`,
    [trail, index * TILE_WIDTH, index * TILE_WIDTH + width],
  );
  if (rows.length !== width)
    throw new Error(
      `Trail ${trail} has ${rows.length} of the ${width} records from ${index * TILE_WIDTH} on: the store is damaged.`,
    );
  return rows.map(rebuildEntry);
}

export type ContentRow = { index: number; salt: Uint8Array; content: Uint8Array };

export async function readContents(query: Query, trail: number, from: number, to: number): Promise<ContentRow[]> {
  const rows = await query<{ index: string; salt: Uint8Array; content: Uint8Array }>(
    `SELECT "index", salt, content FROM record
      WHERE trail = $1::int AND "index" >= $2::bigint AND "index" < $3::bigint AND salt IS NOT NULL AND content IS NOT NULL
      ORDER BY "index"`,
    [trail, from, to],
  );
  return rows.map((row) => ({ ...row, index: Number(row.index) }));
}
