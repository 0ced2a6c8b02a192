/** Rollouts, page by page ↔ Postgres. */
import type { RolloutState } from "@sallyport/shared/rollout/state.ts";
import type { Pool } from "pg";
import { z } from "zod";
import { type Columns, type Keys, keyset } from "../keyset.ts";
import { ROLLOUT, type RolloutRow, readRow } from "./apply.ts";
import type { SortWord } from "./sort.ts";

const PAGE_ROWS_MAX = 200;

export type RolloutListed = {
  id: string;
  group: { id: string; name: string };
  order: number;
  message: string;
  state: RolloutState;
  waves: number;
  startedAt: string;
  endedAt: string | null;
  by: string;
};

export type Listed = RolloutRow & { by: string };
const BY = "LEFT JOIN person who ON who.id = r.started_by";
export const SELECT = ROLLOUT.replace("SELECT", "SELECT coalesce(who.name, r.started_by) AS by,").concat(` ${BY}`);

export const toListed = (row: Listed): RolloutListed => ({
  id: row.id,
  group: { id: row.group_id, name: row.group_name },
  order: row.order,
  message: row.message,
  state: row.state,
  waves: row.plan.waves.length,
  startedAt: row.started_at.toISOString(),
  endedAt: row.ended_at?.toISOString() ?? null,
  by: row.by,
});

/** Where a page ends. */
export const Place = z.object({
  isUnderWay: z.boolean(),
  group: z.string().max(253),
  begun: z.iso.datetime(),
  id: z.uuid({ version: "v4" }),
});
export type Place = z.infer<typeof Place>;

const COLUMNS: Columns<keyof Place> = {
  isUnderWay: { sql: "(r.ended_at IS NULL)", type: "boolean" },
  group: { sql: "g.name", type: "text" },
  begun: { sql: "r.started_at", type: "timestamptz" },
  id: { sql: "r.id", type: "uuid" },
};
const NEWEST = ["-begun", "-id"] as const;
const KEYS: Record<SortWord | "under-way", Keys<keyof Place>> = {
  "under-way": ["-isUnderWay", ...NEWEST],
  "-begun": NEWEST,
  begun: ["begun", "id"],
  group: ["group", ...NEWEST],
  "-group": ["-group", ...NEWEST],
};

type Asked = { group?: string | undefined; sort?: SortWord | undefined; after?: Place | undefined };

/** Those under way first and then the newest, unless asked otherwise. */
export async function listRollouts(
  pool: Pool,
  { group, sort, after }: Asked = {},
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: RolloutListed[]; next: Place | null }> {
  const { isAfter, order } = keyset(COLUMNS, KEYS[sort ?? "under-way"], "$2");
  const { rows } = await pool.query<Listed>(
    `${SELECT} WHERE ($1::uuid IS NULL OR r.group_id = $1) AND ${isAfter} ORDER BY ${order} LIMIT $3`,
    [group ?? null, after ? JSON.stringify(after) : null, limit + 1],
  );
  const page = rows.slice(0, limit).map((row) => toListed({ ...row, ...readRow(row) }));
  const last = page.at(-1);
  if (rows.length <= limit || !last) return { rows: page, next: null };
  const next = { isUnderWay: last.endedAt === null, group: last.group.name, begun: last.startedAt, id: last.id };
  return { rows: page, next };
}
