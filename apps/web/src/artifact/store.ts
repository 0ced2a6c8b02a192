/** Artifacts ↔ Postgres, in pieces. Rows without a sha256 are being taken, or were left in the middle. */
import type { ArtifactFacts, ArtifactKind, ArtifactRow } from "@sallyport/shared/artifact/artifact.ts";
import type { Pool, PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";

export const PIECE_BYTES = 1024 * 1024;
/** All together; each is also a part of every backup. */
export const STORE_BYTES_MAX = 8 * 1024 ** 3;
const ROWS_MAX = 1_000;
/** Nobody takes so long to send one. */
const LEFT_HOURS = 24;

type Raw = {
  sha256: ArtifactRow["sha256"];
  kind: ArtifactKind;
  name: string;
  bytes: string;
  facts: ArtifactFacts;
  added_at: Date;
  added_by: string;
  groups: string[];
};

/** What groups should have, or go back to when a rollout is aborted. */
const NAMED = `named AS (
  SELECT group_id, digest FROM (
    SELECT DISTINCT ON (group_id) group_id, digest FROM publication ORDER BY group_id, "order" DESC) AS newest
  UNION SELECT group_id, digest FROM rollout WHERE ended_at IS NULL
  UNION SELECT group_id, fallback_digest FROM rollout WHERE ended_at IS NULL AND fallback_digest IS NOT NULL)`;
const GROUPS = `ARRAY(SELECT DISTINCT g.name FROM named n JOIN revision r ON r.digest = n.digest
  JOIN "group" g ON g.id = n.group_id WHERE position(a.sha256 IN r.canonical) > 0 ORDER BY g.name) AS groups`;

/** Newest first. */
export async function listArtifacts(pool: Pool): Promise<ArtifactRow[]> {
  const { rows } = await pool.query<Raw>(
    `WITH ${NAMED} SELECT a.sha256, a.kind, a.name, a.bytes, a.facts, a.added_at,
            coalesce(p.email, a.added_by) AS added_by, ${GROUPS}
       FROM artifact a LEFT JOIN person p ON p.id = a.added_by
      WHERE a.sha256 IS NOT NULL ORDER BY a.id DESC LIMIT $1`,
    [ROWS_MAX],
  );
  return rows.map(rowOf);
}

const rowOf = ({ added_at, added_by, bytes, ...row }: Raw): ArtifactRow => ({
  ...row,
  bytes: Number(bytes),
  addedAt: added_at.toISOString(),
  addedBy: added_by,
});

export type Missing = { group: string; sha256: string; what: string };

/** What groups' policies name and nobody has added: their workstations keep what they have, and say so. */
export async function listMissing(pool: Pool): Promise<Missing[]> {
  const { rows } = await pool.query<Missing>(
    `WITH ${NAMED}, wants AS (
       SELECT n.group_id, r.canonical::jsonb #>> '{ids,rules}' AS sha256, 'the rule set' AS what
         FROM named n JOIN revision r ON r.digest = n.digest
       UNION SELECT n.group_id, d ->> 'sha256', 'the definitions ' || (d ->> 'name')
         FROM named n JOIN revision r ON r.digest = n.digest,
              jsonb_array_elements(coalesce(r.canonical::jsonb #> '{usb,definitions}', '[]')) d)
     SELECT g.name AS "group", w.sha256, w.what FROM wants w JOIN "group" g ON g.id = w.group_id
      WHERE w.sha256 IS NOT NULL AND NOT EXISTS (SELECT FROM artifact a WHERE a.sha256 = w.sha256)
      ORDER BY g.name, w.what LIMIT $1`,
    [ROWS_MAX],
  );
  return rows;
}

/** A row to take pieces, and what earlier breaks left goes. @throws Refusal where so many bytes more have no room */
export async function beginArtifact(
  pool: Pool,
  { kind, name, by, bytesMax }: { kind: ArtifactKind; name: string; by: string; bytesMax: number },
): Promise<string> {
  await pool.query(
    `DELETE FROM artifact WHERE sha256 IS NULL AND added_at < now() - make_interval(hours => ${LEFT_HOURS})`,
  );
  const { rows: held } = await pool.query<{ bytes: string; rows: string }>(
    "SELECT coalesce(sum(bytes), 0) AS bytes, count(*) AS rows FROM artifact",
  );
  if (Number(held[0]!.bytes) + bytesMax > STORE_BYTES_MAX || Number(held[0]!.rows) >= ROWS_MAX)
    throw new Refusal(
      "CONFLICT",
      `This console keeps at most ${STORE_BYTES_MAX / 1024 ** 3} GiB in ${ROWS_MAX} artifacts. Remove some that no policy names.`,
    );
  const { rows } = await pool.query<{ id: string }>(
    // its full size stands from the beginning, so that several at once share the bound
    "INSERT INTO artifact (kind, name, added_by, bytes) VALUES ($1, $2, $3, $4) RETURNING id",
    [kind, name, by, bytesMax],
  );
  return rows[0]!.id;
}

export async function addPiece(pool: Pool, id: string, position: number, bytes: Uint8Array): Promise<void> {
  await pool.query("INSERT INTO artifact_piece (artifact, position, bytes) VALUES ($1, $2, $3)", [id, position, bytes]);
}

export async function dropArtifact(pool: Pool | PoolClient, id: string): Promise<void> {
  await pool.query("DELETE FROM artifact WHERE id = $1", [id]);
}

export type Taken = { sha256: string; bytes: number; facts: ArtifactFacts };

/** Gives it its name. False: these bytes are there already, under the row that they came in first. */
export async function finishArtifact(tx: PoolClient, id: string, taken: Taken): Promise<boolean> {
  const known = await tx.query("SELECT 1 FROM artifact WHERE sha256 = $1", [taken.sha256]);
  if (known.rowCount) return false;
  await tx.query("UPDATE artifact SET sha256 = $2, bytes = $3, facts = $4, added_at = now() WHERE id = $1", [
    id,
    taken.sha256,
    taken.bytes,
    taken.facts,
  ]);
  return true;
}

export async function getArtifact(db: Pool | PoolClient, sha256: string): Promise<ArtifactRow | undefined> {
  const { rows } = await db.query<Raw>(
    `WITH ${NAMED} SELECT a.sha256, a.kind, a.name, a.bytes, a.facts, a.added_at,
            coalesce(p.email, a.added_by) AS added_by, ${GROUPS}
       FROM artifact a LEFT JOIN person p ON p.id = a.added_by WHERE a.sha256 = $1`,
    [sha256],
  );
  return rows[0] && rowOf(rows[0]);
}

/** @throws Refusal where there is none, or a policy names it */
export async function removeArtifact(tx: PoolClient, sha256: string): Promise<ArtifactRow> {
  const row = await getArtifact(tx, sha256);
  if (!row) throw new Refusal("NOT_FOUND", "There is no such artifact.");
  if (row.groups.length > 0)
    throw new Refusal(
      "CONFLICT",
      `The policy of ${row.groups.join(", ")} names it: workstations that fetch it later would find nothing. Publish a policy without it first.`,
    );
  await tx.query("DELETE FROM artifact WHERE sha256 = $1", [sha256]);
  return row;
}
