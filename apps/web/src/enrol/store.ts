/** Enrolment tokens ↔ Postgres; only a token's hash is kept. */
import { createHash, randomBytes } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import { z } from "zod";
import { type Columns, keyset } from "../keyset.ts";
import { Refusal } from "../trpc/errors.ts";

const SECRET_BYTES = 32;
const PAGE_ROWS_MAX = 200;

export type TokenRow = {
  id: string;
  group: { id: string; name: string };
  labels: string[];
  note: string | null;
  uses: number;
  used: number;
  expires: string;
  createdAt: string;
  by: string | null;
};

/** Where a page ends. */
export const Place = z.object({ made: z.iso.datetime(), id: z.string().regex(/^[0-9a-f]{64}$/) });
export type Place = z.infer<typeof Place>;

const COLUMNS: Columns<keyof Place> = {
  made: { sql: "t.created_at", type: "timestamptz" },
  id: { sql: "encode(t.hash, 'hex')", type: "text" },
};

/** Those that still work, the newest first. */
export async function listTokens(
  pool: Pool,
  after?: Place,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: TokenRow[]; next: Place | null }> {
  type Raw = {
    hash: Buffer;
    group_id: string;
    group_name: string;
    labels: string[];
    note: string | null;
    uses: number;
    used: number;
    expires: Date;
    created_at: Date;
    by: string | null;
  };
  const { isAfter, order } = keyset(COLUMNS, ["-made", "-id"], "$1");
  const { rows } = await pool.query<Raw>(
    `SELECT t.*, g.name AS group_name, coalesce(p.name, t.created_by) AS by
       FROM enrol_token t JOIN "group" g ON g.id = t.group_id LEFT JOIN person p ON p.id = t.created_by
      WHERE t.revoked_at IS NULL AND t.expires > now() AND t.used < t.uses AND ${isAfter}
      ORDER BY ${order} LIMIT $2`,
    [after ? JSON.stringify(after) : null, limit + 1],
  );
  const page = rows.slice(0, limit).map((raw) => ({
    id: raw.hash.toString("hex"),
    group: { id: raw.group_id, name: raw.group_name },
    labels: raw.labels,
    note: raw.note,
    uses: raw.uses,
    used: raw.used,
    expires: raw.expires.toISOString(),
    createdAt: raw.created_at.toISOString(),
    by: raw.by,
  }));
  const last = page.at(-1);
  return { rows: page, next: rows.length > limit && last ? { made: last.createdAt, id: last.id } : null };
}

export type Making = {
  group: string;
  labels: string[];
  note: string | undefined;
  uses: number;
  hours: number;
  madeBy: string;
};

/** Answers the secret, which is nowhere else from then on. */
export async function makeToken(tx: PoolClient, asked: Making): Promise<{ secret: string; groupName: string }> {
  const group = await tx.query<{ name: string }>('SELECT name FROM "group" WHERE id = $1 AND retired_at IS NULL', [
    asked.group,
  ]);
  if (!group.rows[0]) throw new Refusal("NOT_FOUND", "There is no such group.");
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  await tx.query(
    `INSERT INTO enrol_token (hash, group_id, labels, note, uses, expires, created_by)
     VALUES ($1, $2, $3, $4, $5, now() + make_interval(hours => $6), $7)`,
    [
      createHash("sha256").update(secret).digest(),
      asked.group,
      asked.labels,
      asked.note ?? null,
      asked.uses,
      asked.hours,
      asked.madeBy,
    ],
  );
  return { secret, groupName: group.rows[0].name };
}

export async function revokeToken(tx: PoolClient, id: string): Promise<void> {
  const { rowCount } = await tx.query(
    "UPDATE enrol_token SET revoked_at = now() WHERE hash = $1 AND revoked_at IS NULL",
    [Buffer.from(id, "hex")],
  );
  if (rowCount !== 1) throw new Refusal("NOT_FOUND", "That token does not work any more already.");
}
