/** Which policy a workstation said it had in force, and when ↔ Postgres. Its word is a record on its own trail; who wrote,
 *  signed and rolled out the revision comes from the console's rows. */
import type { PolicyApplied } from "@sallyport/shared/record/agent.ts";
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";

export const PAGE_ROWS_MAX = 100;

export type Approval = {
  group: { id: string; name: string };
  message: string;
  publishedAt: string;
  /** Who published it: their address, or the id of one who is gone. */
  by: string;
  /** The keys that signed, with the role and the name each has in the group by now; a key that was taken out since has none. */
  signers: { key: string; role: "console" | "approver" | null; name?: string | null }[];
  rollout: { id: string; state: string; wave: number | null; toldAt: string | null } | null;
};

export type Applied = {
  trail: number;
  index: number;
  /** When it was found in force, by the workstation's clock, and when that was committed here. */
  time: string;
  received: string;
  /** The time of what followed; null while nothing has. */
  until: string | null;
  order: number;
  digest: string;
  outcomes: PolicyApplied["outcomes"];
  /** Null where no publication that this console knows has this order and digest. */
  approval: Approval | null;
};

export type Cursor = { time: string; trail: number; index: number };

type Raw = {
  trail: number;
  index: string;
  time: Date;
  received: Date;
  until: Date | null;
  order: string;
  digest: string;
  outcomes: PolicyApplied["outcomes"];
  group_id: string | null;
  group_name: string;
  message: string;
  published_at: Date;
  by: string;
  signers: Approval["signers"];
  rollout_id: string | null;
  rollout_state: string;
  wave: number | null;
  told_at: Date | null;
};

/** `a` are the rows asked for. A publication counts in the groups that the workstation was ever in: first in the one it was
 *  in when the record came. */
const APPROVED = `
  LEFT JOIN LATERAL (
    SELECT (s.statement ->> 'carried')::jsonb ->> 'group' AS "group"
      FROM workstation_statement s
     WHERE s.workstation_id = a.workstation_id AND s.type = 'membership' AND s.created_at <= a.received
     ORDER BY s."order" DESC LIMIT 1) then_in ON true
  LEFT JOIN LATERAL (
    SELECT p.group_id, g.name AS group_name, coalesce(p.message, r.message) AS message, p.published_at,
           coalesce(who.email, p.published_by) AS by,
           (SELECT json_agg(json_build_object('key', s ->> 'key', 'role', k.role, 'name', k.name))
              FROM jsonb_array_elements(p.statement -> 'signatures') s
              LEFT JOIN group_key k ON k.group_id = p.group_id AND k.key_id = s ->> 'key') AS signers,
           o.id AS rollout_id, o.state ->> 'name' AS rollout_state, t.wave, t.told_at
      FROM publication p
      JOIN revision r ON r.digest = p.digest
      JOIN "group" g ON g.id = p.group_id
      LEFT JOIN person who ON who.id = p.published_by
      LEFT JOIN rollout o ON o.group_id = p.group_id AND o."order" = p."order"
      LEFT JOIN rollout_told t ON t.rollout_id = o.id AND t.workstation_id = a.workstation_id
     WHERE p."order" = a."order" AND p.digest = a.digest
       AND p.group_id IN (SELECT ((s.statement ->> 'carried')::jsonb ->> 'group')::uuid FROM workstation_statement s
                           WHERE s.workstation_id = a.workstation_id AND s.type = 'membership'
                          UNION SELECT w.group_id FROM workstation w WHERE w.id = a.workstation_id)
     ORDER BY p.group_id::text = then_in."group" DESC NULLS LAST, p.published_at DESC LIMIT 1) p ON true`;

const COLUMNS = `a.trail, a.index, a.time, a.received, a."order", a.digest, a.outcomes, a.until, p.group_id, p.group_name,
  p.message, p.published_at, p.by, p.signers, p.rollout_id, p.rollout_state, p.wave, p.told_at`;

function toApplied(raw: Raw): Applied {
  return {
    trail: raw.trail,
    index: Number(raw.index),
    time: raw.time.toISOString(),
    received: raw.received.toISOString(),
    until: raw.until?.toISOString() ?? null,
    order: Number(raw.order),
    digest: raw.digest,
    outcomes: raw.outcomes,
    approval: raw.group_id && {
      group: { id: raw.group_id, name: raw.group_name },
      message: raw.message,
      publishedAt: raw.published_at.toISOString(),
      by: raw.by,
      signers: raw.signers,
      rollout: raw.rollout_id && {
        id: raw.rollout_id,
        state: raw.rollout_state,
        wave: raw.wave,
        toldAt: raw.told_at?.toISOString() ?? null,
      },
    },
  } as Applied;
}

/** What it last said by `at` (its own clock), or null: it had said nothing of a policy by then. */
export async function inForceAt(pool: Pool, workstation: string, at: Date): Promise<Applied | null> {
  const { rows } = await pool.query<Raw>(
    `SELECT ${COLUMNS}
       FROM (SELECT said.*, (SELECT min(n.time) FROM applied_policy n
                              WHERE n.workstation_id = said.workstation_id AND n.time > said.time) AS until
               FROM applied_policy said WHERE workstation_id = $1 AND time <= $2
              ORDER BY time DESC, trail DESC, index DESC LIMIT 1) a ${APPROVED}`,
    [workstation, at],
  );
  return rows[0] ? toApplied(rows[0]) : null;
}

export type Page = { rows: Applied[]; next: Cursor | null };

/** The newest first. */
export async function listApplied(
  pool: Pool,
  workstation: string,
  after?: Cursor,
  limit = PAGE_ROWS_MAX,
): Promise<Page> {
  const { rows } = await pool.query<Raw>(
    `SELECT ${COLUMNS}
       FROM (SELECT said.*, (SELECT min(n.time) FROM applied_policy n
                              WHERE n.workstation_id = said.workstation_id AND n.time > said.time) AS until
               FROM applied_policy said
              WHERE workstation_id = $1
                AND ($2::timestamptz IS NULL OR (time, trail, index) < ($2, $3::int, $4::bigint))
              ORDER BY time DESC, trail DESC, index DESC LIMIT $5) a ${APPROVED}
      ORDER BY a.time DESC, a.trail DESC, a.index DESC`,
    [workstation, after?.time ?? null, after?.trail ?? null, after?.index ?? null, limit + 1],
  );
  const page = rows.slice(0, limit).map(toApplied);
  const last = page.at(-1);
  const next = rows.length > limit && last ? { time: last.time, trail: last.trail, index: last.index } : null;
  return { rows: page, next };
}

export type Named = { id: string; name: string };

/** @throws Refusal where it names none, or more than one */
export async function findWorkstation(pool: Pool, named: string): Promise<Named> {
  const { rows } = await pool.query<Named>(
    "SELECT id, name FROM workstation WHERE id::text = $1 OR name = $1 OR hostname = $1 LIMIT 2",
    [named],
  );
  const [only, another] = rows;
  if (!only || another)
    throw new Refusal(
      "NOT_FOUND",
      only ? `More than one workstation is called ${named}: give its id.` : `There is no workstation ${named}.`,
    );
  return only;
}
