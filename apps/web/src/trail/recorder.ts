/** What people do → the console's own trail, within the caller's transaction. The trail is like any workstation's: the
 *  same entries, tree and checkpoint, signed with the console's key. */
import { randomBytes, randomUUID } from "node:crypto";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Sha256, Time, TrailId } from "@sallyport/shared/base/ids.ts";
import type { ConsoleAct, PersonAct } from "@sallyport/shared/record/console.ts";
import { commitment, contentBytes, SALT_BYTES, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import type { Kind } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { append, type Edge, edgeBytes, edgeFromBytes, root } from "@sallyport/shared/trail/tree.ts";
import type { PoolClient } from "pg";
import { growTiles, loadTails, TILE_HASHES } from "../ingest/trails.ts";
import type { ConsoleKey } from "./key.ts";
import { growRange } from "./ranges.ts";
import { sha256 } from "./sha256.ts";

/** What the console does of itself, in the transaction that does it. */
export type RecordAct = (
  tx: PoolClient,
  record: { kind: string; severity: Severity; text: string; body: ConsoleAct },
) => Promise<unknown>;

export type ConsoleRecord = { kind: string; severity: Severity; text: string; body: PersonAct | ConsoleAct };

/** One writer at a time to the console's trail, whichever process it is in. */
const TRAIL_LOCK = 0x5a11;

type TrailRow = { num: number; id: TrailId; origin: string; size: string; edge: Buffer };

export const consoleRecorder =
  (key: ConsoleKey) =>
  async (tx: PoolClient, record: ConsoleRecord): Promise<void> => {
    await tx.query("SELECT pg_advisory_xact_lock($1)", [TRAIL_LOCK]);
    const trail = (await openTrail(tx, key)) ?? (await newTrail(tx, key));
    const size = Number(trail.size);
    const { rows } = await tx.query<{ now: Date }>("SELECT date_trunc('milliseconds', clock_timestamp()) AS now");
    const time = (rows[0]?.now ?? new Date()).toISOString() as Time;
    const text = record.text.slice(0, TEXT_CHARS_MAX);
    const salt = new Uint8Array(randomBytes(SALT_BYTES));
    const content = contentBytes({ text, body: record.body });
    const hash = commitment(sha256, salt, content);
    const entry = {
      index: size,
      time,
      kind: record.kind as Kind,
      severity: record.severity,
      content: toHex(hash) as Sha256,
    };
    const leaf = leafHash(sha256, entryText(entry));
    const before = edgeFromBytes(size, trail.edge);
    if ((size + 1) % TILE_HASHES === 0) await storeTiles(tx, trail.num, before, leaf, entryText(entry));
    const edge = append(sha256, before, leaf);
    const checkpoint = signCheckpoint(sha256, key.sign, key.publicKey, {
      origin: trail.origin,
      size: edge.size,
      root: root(sha256, edge),
    });
    const put = await tx.query<{ partition: string }>(
      `INSERT INTO record (trail, index, received, time, kind, severity, text, content_hash, salt, content)
     VALUES ($1, $2, greatest($3::timestamptz, (SELECT max(received_to) FROM record_partition WHERE sealed_at IS NOT NULL)),
             $3, $4, $5, $6, $7, $8, $9) RETURNING tableoid::regclass::text AS partition`,
      [trail.num, size, time, record.kind, SEVERITIES.indexOf(record.severity), projected(text), hash, salt, content],
    );
    await growRange(tx, trail.num, size, put.rows[0]!.partition);
    await tx.query(
      "UPDATE trail SET size = $2::bigint, safe = $2::bigint, edge = $3, checkpoint = $4, received_at = now() WHERE num = $1",
      [trail.num, edge.size, edgeBytes(edge), checkpoint],
    );
    await tx.query("SELECT pg_notify('record', $1)", [JSON.stringify({ trails: [trail.num], through: edge.size })]);
  };

/** The tiles and the bundle that this leaf fills; as rare as one record in 256, so what came before is read again. */
async function storeTiles(tx: PoolClient, num: number, edge: Edge, leaf: Uint8Array, entry: string): Promise<void> {
  const { tails, entries } = await loadTails(tx, num, edge.size);
  const { tiles, bundles } = growTiles({ edge, tails, entries }, [leaf], [entry]);
  for (const { level, index, hashes } of tiles)
    await tx.query("INSERT INTO tile (trail, level, index, hashes) VALUES ($1, $2, $3, $4)", [
      num,
      level,
      index,
      hashes,
    ]);
  for (const each of bundles)
    await tx.query("INSERT INTO entry_bundle (trail, index, entries) VALUES ($1, $2, $3)", [
      num,
      each.index,
      each.entries,
    ]);
}

/** Postgres' text holds no U+0000; the bytes kept beside it do. */
const projected = (text: string): string => text.replaceAll("\u0000", "\u2400");

type Open = TrailRow & { public_key: Buffer };

/** @throws Error where the trail is another key's: then this process holds one that is the console's no more */
async function openTrail(tx: PoolClient, key: ConsoleKey): Promise<TrailRow | undefined> {
  const { rows } = await tx.query<Open>(
    "SELECT num, id, origin, size, edge, public_key FROM trail WHERE workstation_id IS NULL AND state = 'open' ORDER BY num DESC LIMIT 1 FOR UPDATE",
  );
  if (rows[0] && !rows[0].public_key.equals(key.publicKey))
    throw new Error(
      "This process holds another key than the console's trail is under: restart it, or see docs/approvers.md where the key was lost.",
    );
  return rows[0];
}

/** The console's trail under this key, which goes on from the one under another where there is one: that is closed. */
export async function openTrailOf(tx: PoolClient, key: ConsoleKey): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock($1)", [TRAIL_LOCK]);
  const { rows } = await tx.query<Open>(
    "UPDATE trail SET state = 'closed' WHERE workstation_id IS NULL AND state = 'open' AND public_key <> $1 RETURNING num, id, origin, size, edge, public_key",
    [key.publicKey],
  );
  if (rows[0]) await newTrail(tx, key, rows[0]);
}

async function newTrail(tx: PoolClient, key: ConsoleKey, before?: TrailRow): Promise<TrailRow> {
  const id = randomUUID() as TrailId;
  const { rows } = await tx.query<TrailRow>(
    `INSERT INTO trail (id, origin, public_key, edge, previous_id, previous_size) VALUES ($1, $2, $3, '', $4, $5)
     RETURNING num, id, origin, size, edge`,
    [id, origin("console", id), key.publicKey, before?.id ?? null, before?.size ?? null],
  );
  return rows[0]!;
}
