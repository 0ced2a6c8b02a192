/** Groups, revisions and publications ↔ Postgres. A publication is a row; dispatch sends what the rows say. */
import { randomUUID } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { StateName } from "@sallyport/shared/rollout/state.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import type { Pool, PoolClient } from "pg";
import type { ConsoleKey } from "../trail/key.ts";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";

const REVISIONS_MAX = 200;

export type GroupRow = {
  id: string;
  name: string;
  threshold: number;
  workstations: number;
  /** The source of its policy, where that is not this console. */
  repository: string | null;
  isRetired: boolean;
  inForce: { order: number; digest: string; message: string; publishedAt: string; by: string } | null;
};

/** All that are not retired, or the one of this id. */
export async function listGroups(pool: Pool, id: string | null = null): Promise<GroupRow[]> {
  type Raw = {
    id: string;
    name: string;
    threshold: number;
    workstations: string;
    repository: string | null;
    retired: boolean;
    order: number | null;
    digest: string | null;
    message: string | null;
    published_at: Date | null;
    by: string | null;
  };
  const { rows } = await pool.query<Raw>(
    `SELECT g.id, g.name, g.threshold, g.repository, g.retired_at IS NOT NULL AS retired,
            (SELECT count(*) FROM workstation w WHERE w.group_id = g.id AND w.state <> 'revoked') AS workstations,
            p.order, p.digest, coalesce(p.message, r.message) AS message, p.published_at, coalesce(who.name, p.published_by) AS by
       FROM "group" g
       LEFT JOIN LATERAL wanted(NULL, g.id) p ON true
       LEFT JOIN revision r ON r.digest = p.digest LEFT JOIN person who ON who.id = p.published_by
      WHERE CASE WHEN $1::text IS NULL THEN g.retired_at IS NULL ELSE g.id::text = $1 END
      ORDER BY g.name`,
    [id],
  );
  return rows.map((raw) => ({
    id: raw.id,
    name: raw.name,
    threshold: raw.threshold,
    workstations: Number(raw.workstations),
    repository: raw.repository,
    isRetired: raw.retired,
    inForce:
      raw.order !== null && raw.published_at
        ? {
            order: raw.order,
            digest: raw.digest ?? "",
            message: raw.message ?? "",
            publishedAt: raw.published_at.toISOString(),
            by: raw.by ?? "",
          }
        : null,
  }));
}

/** By its id or name; retired ones by their id alone. @throws Refusal */
export async function findGroup(pool: Pool, named: string): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM "group" WHERE id::text = $1 OR (name = $1 AND retired_at IS NULL)',
    [named],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", `There is no group ${named}.`);
  return rows[0].id;
}

export type PublicationRow = {
  order: number;
  digest: string;
  message: string;
  publishedAt: string;
  by: string;
  /** The rollout that moves the group to it, or did. */
  rollout: { id: string; state: StateName } | null;
};

/** A publication with its text, which may be 512 KiB: sent for one at a time. */
export type PublishedText = PublicationRow & { source: string };

type RawPublication = Omit<PublicationRow, "publishedAt"> & { published_at: Date };
const PUBLICATION = `
    SELECT p.order, p.digest, coalesce(p.message, r.message) AS message, p.published_at, coalesce(who.name, p.published_by) AS by,
           (SELECT json_build_object('id', o.id, 'state', o.state ->> 'name') FROM rollout o
             WHERE o.group_id = p.group_id AND o."order" = p."order") AS rollout
      FROM publication p JOIN revision r ON r.digest = p.digest LEFT JOIN person who ON who.id = p.published_by`;
const toPublication = ({ published_at, ...row }: RawPublication): PublicationRow => ({
  ...row,
  publishedAt: published_at.toISOString(),
});

/** The newest first. `next` is the order that the next page lies below. */
export async function listPublications(
  pool: Pool,
  group: string,
  below?: number,
  limit = REVISIONS_MAX,
): Promise<{ rows: PublicationRow[]; next: number | null }> {
  const { rows } = await pool.query<RawPublication>(
    `${PUBLICATION} WHERE p.group_id = $1 AND ($2::int IS NULL OR p.order < $2) ORDER BY p.order DESC LIMIT $3`,
    [group, below ?? null, limit + 1],
  );
  const page = rows.slice(0, limit).map(toPublication);
  return { rows: page, next: rows.length > limit ? (page.at(-1)?.order ?? null) : null };
}

/** `publications` are the newest, `isAll` whether there are no older ones. */
export async function getGroup(
  pool: Pool,
  id: string,
): Promise<{ group: GroupRow; publications: PublicationRow[]; isAll: boolean; wanted: PublishedText | null }> {
  const [group] = await listGroups(pool, id);
  if (!group) throw new Refusal("NOT_FOUND", "There is no such group.");
  const { rows: publications, next } = await listPublications(pool, id);
  const order = group.inForce?.order;
  // it may be older than all of these
  const found = order === undefined ? [] : (await listPublications(pool, id, order + 1, 1)).rows;
  const wanted = found[0] ? { ...found[0], source: await getSource(pool, id, found[0].order) } : null;
  return { group, publications, isAll: next === null, wanted };
}

/** The text one publication was written as. */
export async function getSource(pool: Pool, group: string, order: number): Promise<string> {
  const { rows } = await pool.query<{ source: string }>(
    `SELECT coalesce(p.source, r.source) AS source FROM publication p JOIN revision r ON r.digest = p.digest
      WHERE p.group_id = $1 AND p."order" = $2`,
    [group, order],
  );
  const [row] = rows;
  if (!row) throw new Refusal("NOT_FOUND", `This group has no revision ${order}.`);
  return row.source;
}

/** A group that only the console's key signs for, until it is given approvers. */
export async function makeGroup(tx: PoolClient, name: string, key: ConsoleKey): Promise<string> {
  const id = randomUUID();
  await tx.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [id, name]);
  await tx.query("INSERT INTO group_key (group_id, key_id, public_key, role) VALUES ($1, $2, $3, 'console')", [
    id,
    keyId(sha256, key.publicKey),
    toBase64(key.publicKey),
  ]);
  return id;
}
