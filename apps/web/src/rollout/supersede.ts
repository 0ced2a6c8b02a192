/** A newer revision of a group ends the rollout that is under way there; those it told keep what they have until the
 *  newer one comes to them. Called where something newer is made, in that transaction. */
import { waveAt } from "@sallyport/shared/rollout/state.ts";
import type { PoolClient } from "pg";
import { apply, ROLLOUT, type RolloutRow, readRow, say } from "./apply.ts";

export type Superseded = { id: string; order: number; state: string };

/** The group is locked by the caller. Answers what was ended. */
export async function supersede(
  tx: PoolClient,
  group: string,
  newer: { reason: string; by: string; now: Date },
): Promise<Superseded | undefined> {
  const { rows } = await tx.query<RolloutRow>(
    `${ROLLOUT} WHERE r.group_id = $1 AND r.ended_at IS NULL FOR UPDATE OF r`,
    [group],
  );
  const row = rows[0] && readRow(rows[0]);
  if (!row) return undefined;
  const state = { name: "superseded", wave: waveAt(row.state), reason: newer.reason } as const;
  await apply(tx, row, { state, acts: [], reasons: [] }, newer.by, newer.now);
  await tx.query("UPDATE rollout SET version = version + 1 WHERE id = $1", [row.id]);
  await say(tx, row.id, "superseded", newer.by, newer.reason, newer.now);
  return { id: row.id, order: row.order, state: row.state.name };
}
