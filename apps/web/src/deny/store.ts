/** What is denied, and how far it has come ↔ Postgres. */
import { type Denied, DenyId } from "@sallyport/shared/policy/overlay.ts";
import type { Pool } from "pg";
import { z } from "zod";
import { type Columns, type Keys, keyset } from "../keyset.ts";
import { Refusal } from "../trpc/errors.ts";
import { type Reach, reachOf, reachWords, type Standing } from "./reach.ts";
import type { SortWord } from "./sort.ts";

export type DenyRow = {
  id: DenyId;
  /** `fleet`, `group/ID` or `workstation/ID`, and in words. */
  audience: string;
  whose: string;
  what: Denied;
  words: string;
  reason: string;
  until: string;
  /** Their address, or the id of one who is gone. */
  addedBy: string;
  addedAt: string;
  ended: { how: "lifted"; by: string; at: string; reason: string } | { how: "ended" } | null;
  /** Of what stands. */
  reach: (Reach & { words: string }) | null;
};

const PAGE_ROWS_MAX = 200;

const moment = z.iso.datetime();
const words = z.string().max(2_000);
/** Where a page ends: `moment` is when what stands was added, and when what has ended did. */
export const Place = z.object({ stands: z.boolean(), moment, ends: moment, words, whose: words, id: DenyId });
export type Place = z.infer<typeof Place>;

const COLUMNS: Columns<keyof Place> = {
  stands: { sql: "stands", type: "boolean" },
  moment: { sql: "moment", type: "timestamptz" },
  ends: { sql: "ends", type: "timestamptz" },
  words: { sql: "words", type: "text" },
  whose: { sql: "whose", type: "text" },
  id: { sql: "id", type: "text" },
};
const KEYS: Record<SortWord | "newest", Keys<keyof Place>> = {
  newest: ["-stands", "-moment", "-id"],
  ends: ["-stands", "ends", "id"],
  "-ends": ["-stands", "-ends", "-id"],
  what: ["-stands", "words", "-moment", "-id"],
  "-what": ["-stands", "-words", "-moment", "-id"],
  for: ["-stands", "whose", "-moment", "-id"],
  "-for": ["-stands", "-whose", "-moment", "-id"],
};

type Raw = Omit<DenyRow, "until" | "addedAt" | "ended" | "reach"> & {
  until: Date;
  addedAt: Date;
  order: string;
  stands: boolean;
  moment: Date;
  ends: Date;
  liftedAt: Date | null;
  liftedBy: string | null;
  liftReason: string | null;
};

/** `$1` is now. */
const DENIED = `
     WITH denied AS (
       SELECT d.id::text, d.audience, d.what, d.words, d.reason, d.until, d.added_at AS "addedAt", d.added_order AS "order",
              d.lifted_at AS "liftedAt", d.lift_reason AS "liftReason",
              coalesce(a.email, d.added_by) AS "addedBy", coalesce(l.email, d.lifted_by) AS "liftedBy",
              CASE WHEN d.audience = 'fleet' THEN 'the whole fleet'
                   WHEN g.id IS NOT NULL THEN 'group ' || g.name ELSE coalesce(w.name, d.audience) END AS whose,
              s.stands, coalesce(d.lifted_at, d.until) AS ends,
              CASE WHEN s.stands THEN d.added_at ELSE coalesce(d.lifted_at, d.until) END AS moment
         FROM deny d CROSS JOIN LATERAL (SELECT d.lifted_at IS NULL AND d.until > $1 AS stands) s
         LEFT JOIN person a ON a.id = d.added_by LEFT JOIN person l ON l.id = d.lifted_by
         LEFT JOIN "group" g ON d.audience = 'group/' || g.id
         LEFT JOIN workstation w ON d.audience = 'workstation/' || w.id)`;

/** What stands, the newest first, and then the newest of what has ended; each of both in another order where one is asked
 *  for. What ends between two pages takes another place. */
export async function pageOfDenies(
  pool: Pool,
  now: Date,
  { sort, after }: { sort?: SortWord | undefined; after?: Place | undefined } = {},
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: DenyRow[]; next: Place | null }> {
  const { isAfter, order } = keyset(COLUMNS, KEYS[sort ?? "newest"], "$2");
  const found = await pool.query<Raw>(`${DENIED} SELECT * FROM denied WHERE ${isAfter} ORDER BY ${order} LIMIT $3`, [
    now,
    after ? JSON.stringify(after) : null,
    limit + 1,
  ]);
  const page = found.rows.slice(0, limit);
  const rows = await toRows(pool, page);
  const last = page.at(-1);
  if (found.rows.length <= limit || !last) return { rows, next: null };
  const { stands, words, whose, id } = last;
  const next = { stands, words, whose, id, moment: last.moment.toISOString(), ends: last.ends.toISOString() };
  return { rows, next };
}

export async function getDeny(pool: Pool, now: Date, id: string): Promise<DenyRow> {
  const found = await pool.query<Raw>(`${DENIED} SELECT * FROM denied WHERE id = $2`, [now, id]);
  const [row] = await toRows(pool, found.rows);
  if (!row) throw new Refusal("NOT_FOUND", `Nothing is denied under ${id}.`);
  return row;
}

/** For the command line and pipelines: all that stands and then what has ended, to the end of a page; after it one page. */
export async function listDenies(
  pool: Pool,
  now: Date,
  asked?: Place,
): Promise<{ rows: DenyRow[]; next: Place | null }> {
  const rows: DenyRow[] = [];
  let after = asked;
  do {
    const page = await pageOfDenies(pool, now, { after });
    rows.push(...page.rows);
    after = page.next ?? undefined;
  } while (after?.stands);
  return { rows, next: after ?? null };
}

async function toRows(pool: Pool, found: readonly Raw[]): Promise<DenyRow[]> {
  const standing = found.filter(({ stands }) => stands);
  const standings = await standingsOf(pool, [...new Set(standing.map(({ audience }) => audience))]);
  return found.map((row) => toRow(row, standings.get(row.audience) ?? []));
}

function toRow(
  { order, stands, moment: _, ends: __, liftedAt, liftedBy, liftReason, until, addedAt, ...row }: Raw,
  standings: readonly Standing[],
): DenyRow {
  const reach = stands ? reachOf(standings, Number(order), row.what.kind) : null;
  const lifted = liftedAt && { by: liftedBy ?? "", at: liftedAt.toISOString(), reason: liftReason ?? "" };
  return {
    ...row,
    until: until.toISOString(),
    addedAt: addedAt.toISOString(),
    ended: stands ? null : lifted ? { how: "lifted", ...lifted } : { how: "ended" },
    reach: reach && { ...reach, words: reachWords(reach) },
  };
}

/** Of each audience its enrolled workstations, counted by what they report of its overlay. */
async function standingsOf(pool: Pool, audiences: readonly string[]): Promise<Map<string, Standing[]>> {
  const found = new Map<string, Standing[]>();
  if (audiences.length === 0) return found;
  const { rows } = await pool.query<
    Omit<Standing, "order" | "count"> & { audience: string; order: string; count: string }
  >(
    `SELECT a.audience, coalesce(w.presence_state = 'online', false) AS online, r.overlays IS NOT NULL AS "isAware",
            (o.state ->> 'order')::bigint AS "order", o.state #>> '{usb,outcome}' AS usb,
            o.state #>> '{network,outcome}' AS network, count(*)
       FROM unnest($1::text[]) AS a (audience)
       JOIN workstation w ON w.state = 'enrolled'
        AND (a.audience = 'fleet' OR a.audience = 'group/' || w.group_id OR a.audience = 'workstation/' || w.id)
       LEFT JOIN LATERAL (SELECT document -> 'overlays' AS overlays FROM reported WHERE workstation_id = w.id) r ON true
       LEFT JOIN LATERAL (SELECT each AS state FROM jsonb_array_elements(r.overlays) AS each
                           WHERE each ->> 'audience' = a.audience LIMIT 1) o ON true
      GROUP BY 1, 2, 3, 4, 5, 6`,
    [audiences],
  );
  for (const { audience, order, count, ...row } of rows) {
    const standing = { ...row, order: order === null ? null : Number(order), count: Number(count) };
    found.set(audience, [...(found.get(audience) ?? []), standing]);
  }
  return found;
}

/** Its id by its id or name. */
export async function findAudience(
  pool: Pool,
  of: "group" | "workstation",
  named: string,
): Promise<{ ids: string[]; name: string }> {
  const { rows } = await pool.query<{ id: string; name: string }>(
    of === "group"
      ? 'SELECT id, name FROM "group" WHERE (id::text = $1 OR name = $1) AND retired_at IS NULL'
      : "SELECT id, name FROM workstation WHERE state = 'enrolled' AND (id::text = $1 OR name = $1 OR hostname = $1)",
    [named],
  );
  return { ids: rows.map(({ id }) => id), name: rows[0]?.name ?? named };
}
