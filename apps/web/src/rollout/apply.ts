/** What a step or a person decided → rows, in the caller's transaction: the state with what it does to publications. */
import type { RolloutAct } from "@sallyport/shared/rollout/advance.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import { isEnded, RolloutState } from "@sallyport/shared/rollout/state.ts";
import type { PoolClient } from "pg";

export type RolloutRow = {
  id: string;
  group_id: string;
  group_name: string;
  order: number;
  digest: string;
  message: string;
  plan: Plan;
  state: RolloutState;
  version: number;
  report_seconds: number;
  fallback_order: number | null;
  fallback_digest: string | null;
  /** Whether the statement is still there to be published. */
  has_fallback: boolean;
  looked_at: Date | null;
  watched_from: Date | null;
  started_at: Date;
  started_by: string;
  ended_at: Date | null;
};

export const ROLLOUT = `
  SELECT r.id, r.group_id, g.name AS group_name, r."order", r.digest, r.message, r.plan, r.state, r.version,
         r.report_seconds, r.fallback_order, r.fallback_digest, r.fallback IS NOT NULL AS has_fallback,
         r.looked_at, r.watched_from, r.started_at, r.started_by, r.ended_at
    FROM rollout r JOIN "group" g ON g.id = r.group_id`;

export const readRow = (row: RolloutRow): RolloutRow => ({
  ...row,
  plan: Plan.parse(row.plan),
  state: RolloutState.parse(row.state),
});

export type Decided = { state: RolloutState; acts: readonly RolloutAct[]; reasons: readonly string[] };

/** `by` is a person's id, or nothing where the console acted. */
export async function apply(
  tx: PoolClient,
  row: RolloutRow,
  { state, acts, reasons }: Decided,
  by: string | null,
  now: Date,
): Promise<void> {
  const hasEnded = isEnded(state);
  await tx.query(
    `UPDATE rollout SET state = $2, version = version + $3, ended_at = CASE WHEN $4 THEN $5::timestamptz END WHERE id = $1`,
    [row.id, JSON.stringify(state), acts.length > 0 ? 1 : 0, hasEnded, now],
  );
  for (const [at, act] of acts.entries()) {
    if (act === "fall-back") await publishFallback(tx, row, reasons[at] ?? "", by);
    await say(tx, row.id, by === null ? act : state.name, by, reasons[at] ?? "", now);
  }
  // signed for this rollout alone: once it is over nobody may find it in the database
  if (hasEnded || acts.includes("fall-back"))
    await tx.query("UPDATE rollout SET fallback = NULL WHERE id = $1", [row.id]);
  if (acts.length > 0) await wake(tx, row);
}

/** The statement that was signed when the rollout began becomes what the whole group should have. */
async function publishFallback(tx: PoolClient, row: RolloutRow, reason: string, by: string | null): Promise<void> {
  await tx.query(
    `INSERT INTO publication (group_id, "order", digest, statement, published_by, message, source)
     SELECT r.group_id, r.fallback_order, r.fallback_digest, r.fallback, $2, $3, p.source
       FROM rollout r LEFT JOIN LATERAL (SELECT source FROM publication WHERE group_id = r.group_id
        AND digest = r.fallback_digest ORDER BY "order" DESC LIMIT 1) p ON true
      WHERE r.id = $1`,
    [row.id, by ?? row.started_by, `The rollout of r${row.order} was aborted: ${reason}`.slice(0, 500)],
  );
}

export async function say(
  tx: PoolClient,
  rollout: string,
  act: string,
  by: string | null,
  text: string,
  now: Date,
): Promise<void> {
  await tx.query('INSERT INTO rollout_event (rollout_id, at, act, "by", text) VALUES ($1, $2, $3, $4, $5)', [
    rollout,
    now,
    act,
    by,
    text,
  ]);
}

/** Dispatch looks what is wanted now, and the worker looks at its rollouts. */
export async function wake(tx: PoolClient, { id, group_id }: { id: string; group_id: string }): Promise<void> {
  await tx.query("SELECT pg_notify('publication', $1), pg_notify('rollout', $2)", [group_id, id]);
}
