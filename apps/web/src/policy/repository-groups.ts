/** Postgres → every group as a plan looks at it. */
import { alike } from "@sallyport/shared/policy/group-name.ts";
import type { GroupNow } from "@sallyport/shared/policy/repository/step.ts";
import type { Planning } from "@sallyport/shared/policy/repository.ts";
import type { RolloutState } from "@sallyport/shared/rollout/state.ts";
import type { Pool, PoolClient } from "pg";

export type Asked = Omit<Planning, "groups">;

/** Every group, retired ones too; with its policy where the folder names it. */
export async function loadGroups(db: Pool | PoolClient, { files }: Asked): Promise<GroupNow[]> {
  type Raw = {
    id: string;
    name: string;
    repository: string | null;
    retired: boolean;
    threshold: number;
    newest: number;
    order: number | null;
    digest: string | null;
    canonical: string | null;
    source: string | null;
    moving: { order: number; digest: string; state: RolloutState } | null;
    newest_rollout: { order: number; digest: string; state: RolloutState } | null;
    proposed: { id: string; digest: string }[];
    workstations: string;
    labels: Record<string, number> | null;
    members: string;
    tokens: string;
  };
  const { rows } = await db.query<Raw>(
    `SELECT g.id, g.name, g.repository, g.retired_at IS NOT NULL AS retired, g.threshold, p."order", p.digest,
            coalesce((SELECT max("order") FROM publication WHERE group_id = g.id), 0) AS newest,
            CASE WHEN named THEN r.canonical END AS canonical,
            CASE WHEN named THEN coalesce(p.source, r.source) END AS source,
            (SELECT json_build_object('order', o."order", 'digest', o.digest, 'state', o.state) FROM rollout o
              WHERE o.group_id = g.id AND o.ended_at IS NULL) AS moving,
            (SELECT json_build_object('order', o."order", 'digest', o.digest, 'state', o.state) FROM rollout o
              WHERE o.group_id = g.id ORDER BY o."order" DESC LIMIT 1) AS newest_rollout,
            (SELECT coalesce(json_agg(json_build_object('id', s.id, 'digest', s.act ->> 'digest')), '[]') FROM proposal s
              WHERE s.group_id = g.id AND s.state = 'waiting' AND s.expires > now()
                AND s.kind IN ('policy', 'rollout')) AS proposed,
            (SELECT count(*) FROM workstation w WHERE w.group_id = g.id AND w.state = 'enrolled') AS workstations,
            (SELECT jsonb_object_agg(label, count) FROM (
               SELECT label, count(*) FROM workstation w CROSS JOIN unnest(w.labels) AS label
                WHERE w.group_id = g.id AND w.state = 'enrolled' GROUP BY label) l) AS labels,
            (SELECT count(*) FROM workstation w WHERE w.group_id = g.id AND w.state <> 'revoked') AS members,
            (SELECT count(*) FROM enrol_token t WHERE t.group_id = g.id AND t.revoked_at IS NULL AND t.used < t.uses
              AND t.expires > now()) AS tokens
       FROM "group" g CROSS JOIN LATERAL (SELECT lower(normalize(g.name, NFKC)) = ANY($1::text[]) AS named) n
       LEFT JOIN LATERAL wanted(NULL, g.id) p ON true LEFT JOIN revision r ON r.digest = p.digest
      ORDER BY g.name`,
    [files.map(({ group }) => alike(group))],
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    repository: row.repository,
    isRetired: row.retired,
    threshold: row.threshold,
    newest: row.newest,
    whole:
      row.order !== null && row.digest !== null
        ? { order: row.order, digest: row.digest, policy: JSON.parse(row.canonical ?? "{}"), source: row.source ?? "" }
        : null,
    moving: row.moving && { ...row.moving, state: row.moving.state.name },
    aborted: row.newest_rollout && takenBack(row.newest_rollout),
    proposed: row.proposed,
    workstations: Number(row.workstations),
    labels: row.labels ?? {},
    members: Number(row.members),
    tokens: Number(row.tokens),
  }));
}

function takenBack({
  order,
  digest,
  state,
}: {
  order: number;
  digest: string;
  state: RolloutState;
}): GroupNow["aborted"] {
  return state.name === "aborted" || state.name === "aborting" ? { order, digest, reason: state.reason } : null;
}
