/** People and who is invited, page by page ↔ Postgres. */
import type { Pool } from "pg";
import { type Columns, type Keys, keyset } from "../keyset.ts";
import { ROLES, type Role } from "./role.ts";
import type { SortWord } from "./sort.ts";
import { IS_MAKERS_STILL, MANAGES } from "./store.ts";

const PAGE_ROWS_MAX = 200;

export type PersonListed = {
  id: string;
  name: string;
  email: string;
  role: Role;
  twoFactorEnabled: boolean;
  disabledAt: string | null;
  seenAt: string | null;
  /** Null once they have a password (again); else until when their link works. */
  resetUntil: string | null;
};

/** Where a page ends. `seen` is as Postgres writes it: who never came has a place as well. */
export type Place = { off: boolean; name: string; email: string; role: number; seen: string; id: string };

const COLUMNS: Columns<keyof Place> = {
  off: { sql: "off", type: "boolean" },
  name: { sql: "sorted_name", type: "text" },
  email: { sql: 'email COLLATE "C"', type: "text" },
  role: { sql: "rank", type: "int" },
  seen: { sql: "seen", type: "timestamptz" },
  id: { sql: "id", type: "text" },
};
const BY_NAME = ["name", "id"] as const;
const KEYS: Record<SortWord | "on", Keys<keyof Place>> = {
  on: ["off", ...BY_NAME],
  name: BY_NAME,
  "-name": ["-name", "-id"],
  email: ["email", "id"],
  "-email": ["-email", "-id"],
  role: ["role", ...BY_NAME],
  "-role": ["-role", ...BY_NAME],
  seen: ["seen", ...BY_NAME],
  "-seen": ["-seen", ...BY_NAME],
};

type Raw = Omit<PersonListed, "disabledAt" | "seenAt" | "resetUntil"> & {
  disabledAt: Date | null;
  seenAt: Date | null;
  resetUntil: Date | null;
  off: boolean;
  sorted_name: string;
  rank: number;
  seen: string;
};

/** Those who are switched off last, unless an order is asked for; by name as people read it, in whichever case and with
 *  whichever accents. */
export async function listPeople(
  pool: Pool,
  { sort, after }: { sort?: SortWord | undefined; after?: Place | undefined } = {},
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: PersonListed[]; next: Place | null }> {
  const { isAfter, order } = keyset(COLUMNS, KEYS[sort ?? "on"], "$1");
  const { rows } = await pool.query<Raw>(
    `WITH listed AS (
       SELECT p.id, p.name, p.email, p.role::text, p.two_factor_enabled AS "twoFactorEnabled", p.disabled_at AS "disabledAt",
              s.at AS "seenAt", p.created_at, p.disabled_at IS NOT NULL AS off, coalesce(s.at, '-infinity') AS seen,
              regexp_replace(normalize(lower(p.name), NFKD), '[\\u0300-\\u036f]', '', 'g') COLLATE "C" AS sorted_name, array_position($2::text[], p.role::text) AS rank
         FROM person p
         LEFT JOIN LATERAL (SELECT max(updated_at) AS at FROM person_session WHERE person_id = p.id) s ON true),
     page AS (SELECT * FROM listed WHERE ${isAfter} ORDER BY ${order} LIMIT $3)
     SELECT page.*, page.seen::text AS seen,
            CASE WHEN NOT EXISTS (SELECT FROM person_account a WHERE a.person_id = page.id)
                 THEN coalesce((SELECT max(i.expires_at) FROM person_invite i
                                 WHERE i.person_id = page.id AND i.used_at IS NULL AND i.role::text = page.role
                                   AND ${IS_MAKERS_STILL("$4")}), page.created_at) END AS "resetUntil"
       FROM page ORDER BY ${order.replace(/\bseen\b/g, "page.seen")}`,
    [after ? JSON.stringify(after) : null, ROLES, limit + 1, MANAGES],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ id, name, email, role, twoFactorEnabled, disabledAt, seenAt, resetUntil }) => ({
      ...{ id, name, email, role, twoFactorEnabled, disabledAt: disabledAt?.toISOString() ?? null },
      ...{ seenAt: seenAt?.toISOString() ?? null, resetUntil: resetUntil?.toISOString() ?? null },
    })),
    next: rows.length > limit && last ? placeOf(last) : null,
  };
}

const placeOf = ({ off, sorted_name, email, rank, seen, id }: Raw): Place => ({
  ...{ off, name: sorted_name, email, role: rank, seen, id },
});

export type InviteListed = { id: string; email: string; name: string; role: Role; expiresAt: string };

export type InvitePlace = { made: string; id: string };

/** Whose link still works, the newest first. */
export async function listInvites(
  pool: Pool,
  after: InvitePlace | undefined,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: InviteListed[]; next: InvitePlace | null }> {
  const columns: Columns<keyof InvitePlace> = {
    made: { sql: "i.created_at", type: "timestamptz" },
    id: { sql: "i.id", type: "text" },
  };
  const { isAfter, order } = keyset(columns, ["-made", "-id"], "$1");
  const { rows } = await pool.query<Omit<InviteListed, "expiresAt"> & { expiresAt: Date; made: Date }>(
    `SELECT i.id, i.email, i.name, i.role::text, i.expires_at AS "expiresAt", i.created_at AS made FROM person_invite i
      WHERE i.used_at IS NULL AND i.expires_at > now() AND i.made_by IS NOT NULL AND i.person_id IS NULL
        AND ${IS_MAKERS_STILL("$3")} AND ${isAfter}
      ORDER BY ${order} LIMIT $2`,
    [after ? JSON.stringify(after) : null, limit + 1, MANAGES],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ made: _, expiresAt, ...row }) => ({ ...row, expiresAt: expiresAt.toISOString() })),
    next: rows.length > limit && last ? { made: last.made.toISOString(), id: last.id } : null,
  };
}
