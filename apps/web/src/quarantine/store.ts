/** What ingest refused and kept ↔ Postgres. Reading alone: ingest writes it and bounds it. */
import type { Pool, PoolClient } from "pg";
import { type Columns, type Keys, keyset } from "../keyset.ts";
import { Refusal } from "../trpc/errors.ts";
import type { SortWord } from "./sort.ts";
import { type What, whatCame } from "./words.ts";

export const PAGE_ROWS_MAX = 200;
const SENDERS_MAX = 500;

export type RefusedRow = {
  id: number;
  received: string;
  /** Whose topic it came on; the name is missing where no such workstation is enrolled. */
  workstation: { id: string; name: string | null } | null;
  what: What;
  topic: string;
  code: string;
  reason: string;
  size: number;
  /** How many of its bytes were kept. */
  kept: number;
  /** Of a flood: the row stands for so many that were not kept, and `size` is theirs together. 0: it is one message. */
  more: number;
  /** How many times more the same message came within minutes. */
  again: number;
};

type Raw = {
  id: string;
  received: Date;
  workstation_id: string | null;
  name: string | null;
  topic: string;
  code: string;
  reason: string;
  size: number;
  kept: number;
  more: number;
  again: number;
};

const toRow = (raw: Raw): RefusedRow => ({
  id: Number(raw.id),
  received: raw.received.toISOString(),
  workstation: raw.workstation_id === null ? null : { id: raw.workstation_id, name: raw.name },
  what: whatCame(raw.topic),
  topic: raw.topic,
  code: raw.code,
  reason: raw.reason,
  size: raw.size,
  kept: raw.kept,
  more: raw.more,
  again: raw.again,
});

/** Where a page ends. Its last row may be pruned before the next is asked for, so what it was sorted by comes along. */
export type Place = { id: number; size: number };
export type Asked = {
  workstation?: string | undefined;
  code?: string | undefined;
  sort?: SortWord | undefined;
  after?: Place | undefined;
};

const COLUMNS: Columns<keyof Place> = {
  id: { sql: "q.id", type: "bigint" }, // they rise as messages are refused
  size: { sql: "q.size", type: "int" },
};
const KEYS: Record<SortWord, Keys<keyof Place>> = {
  "-received": ["-id"],
  received: ["id"],
  "-size": ["-size", "-id"],
  size: ["size", "id"],
};

const SELECT = `
     SELECT q.id, q.received, q.workstation_id, w.name, q.topic, q.code, q.reason, q.size, q.more, q.again,
            octet_length(q.bytes) AS kept
       FROM quarantine q LEFT JOIN workstation w ON w.id = q.workstation_id`;

/** Newest first unless asked otherwise; one row more than the page tells whether there is another. */
export async function listRefused(
  pool: Pool,
  { workstation, code, sort = "-received", after }: Asked,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: RefusedRow[]; next: Place | null }> {
  const { isAfter, order } = keyset(COLUMNS, KEYS[sort], "$3");
  const { rows } = await pool.query<Raw>(
    `${SELECT}
      WHERE ($1::uuid IS NULL OR q.workstation_id = $1) AND ($2::text IS NULL OR q.code = $2)
        AND ${isAfter}
      ORDER BY ${order} LIMIT $4`,
    [workstation ?? null, code ?? null, after ? JSON.stringify(after) : null, limit + 1],
  );
  const page = rows.slice(0, limit).map(toRow);
  const last = page.at(-1);
  return { rows: page, next: rows.length > limit && last ? { id: last.id, size: last.size } : null };
}

export async function getRefused(pool: Pool, id: number): Promise<RefusedRow> {
  const { rows } = await pool.query<Raw>(`${SELECT} WHERE q.id = $1`, [id]);
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is no such message in quarantine, or none any more.");
  return toRow(rows[0]);
}

/** The workstations of which something is kept, by name. */
export async function listSenders(pool: Pool): Promise<{ id: string; name: string }[]> {
  const { rows } = await pool.query<{ id: string; name: string }>(
    `SELECT w.id, w.name FROM workstation w
      WHERE EXISTS (SELECT 1 FROM quarantine q WHERE q.workstation_id = w.id) ORDER BY w.name, w.id LIMIT $1`,
    [SENDERS_MAX],
  );
  return rows;
}

export async function readKept(
  tx: PoolClient,
  id: number,
): Promise<{ topic: string; code: string; bytes: Buffer } | undefined> {
  const { rows } = await tx.query<{ topic: string; code: string; bytes: Buffer }>(
    "SELECT topic, code, bytes FROM quarantine WHERE id = $1",
    [id],
  );
  return rows[0];
}
