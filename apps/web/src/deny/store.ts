/** What is denied, and how far it has come ↔ Postgres. */
import type { Denied, DenyId } from "@sallyport/shared/policy/overlay.ts";
import type { Pool } from "pg";
import { type Reach, reachOf, reachWords, type Standing } from "./reach.ts";

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

const ENDED_MAX = 100;

type Raw = Omit<DenyRow, "until" | "addedAt" | "ended" | "reach"> & {
  until: Date;
  addedAt: Date;
  order: string;
  stands: boolean;
  place: string;
  liftedAt: Date | null;
  liftedBy: string | null;
  liftReason: string | null;
};

/** What stands, the newest first, and then the newest of what has ended. */
export async function listDenies(pool: Pool, now: Date): Promise<DenyRow[]> {
  const { rows } = await pool.query<Raw>(
    `SELECT * FROM (
       SELECT d.id, d.audience, d.what, d.words, d.reason, d.until, d.added_at AS "addedAt", d.added_order AS "order",
              d.lifted_at AS "liftedAt", d.lift_reason AS "liftReason",
              coalesce(a.email, d.added_by) AS "addedBy", coalesce(l.email, d.lifted_by) AS "liftedBy",
              CASE WHEN d.audience = 'fleet' THEN 'the whole fleet'
                   WHEN g.id IS NOT NULL THEN 'group ' || g.name ELSE coalesce(w.name, d.audience) END AS whose,
              d.lifted_at IS NULL AND d.until > $1 AS stands,
              row_number() OVER (PARTITION BY d.lifted_at IS NULL AND d.until > $1
                                 ORDER BY coalesce(d.lifted_at, d.until) DESC) AS place
         FROM deny d LEFT JOIN person a ON a.id = d.added_by LEFT JOIN person l ON l.id = d.lifted_by
         LEFT JOIN "group" g ON d.audience = 'group/' || g.id
         LEFT JOIN workstation w ON d.audience = 'workstation/' || w.id) d
      WHERE stands OR place <= ${ENDED_MAX}
      ORDER BY stands DESC, CASE WHEN stands THEN "addedAt" ELSE coalesce("liftedAt", until) END DESC, id`,
    [now],
  );
  const standing = rows.filter(({ stands }) => stands);
  const standings = await standingsOf(pool, [...new Set(standing.map(({ audience }) => audience))]);
  return rows.map(({ order, stands, liftedAt, liftedBy, liftReason, until, addedAt, place: _, ...row }) => {
    const reach = stands ? reachOf(standings.get(row.audience) ?? [], Number(order), row.what.kind) : null;
    return {
      ...row,
      until: until.toISOString(),
      addedAt: addedAt.toISOString(),
      ended: stands
        ? null
        : liftedAt
          ? { how: "lifted", by: liftedBy ?? "", at: liftedAt.toISOString(), reason: liftReason ?? "" }
          : { how: "ended" },
      reach: reach && { ...reach, words: reachWords(reach) },
    };
  });
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
