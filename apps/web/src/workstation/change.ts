/** What an admin does to one workstation ↔ Postgres, each in the caller's transaction: revoke, move, describe. */
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { signMembership } from "../dispatch/sign.ts";
import { Refusal } from "../trpc/errors.ts";
import type { Signs } from "./status.ts";

export type Locked = {
  id: string;
  name: string;
  state: Signs["state"];
  labels: string[];
  group: { id: string; name: string; threshold: number };
};

/** The workstation, locked until the transaction ends. `name` is what the person saw: another one by now is a conflict,
 *  so that nobody revokes what they did not mean. */
async function lock(tx: PoolClient, id: string, name: string): Promise<Locked> {
  type Raw = Omit<Locked, "group"> & { group_id: string };
  const { rows } = await tx.query<Raw>(
    "SELECT id, name, state, labels, group_id FROM workstation WHERE id = $1 FOR UPDATE",
    [id],
  );
  const raw = rows[0];
  if (!raw) throw new Refusal("NOT_FOUND", "There is no such workstation.");
  if (raw.name !== name)
    throw new Refusal("CONFLICT", `This workstation is called ${raw.name} by now. Look again before you change it.`);
  const { group_id, ...rest } = raw;
  // by itself: a join that waited for the lock would still look for the group it was in before
  const group = await tx.query<Locked["group"]>('SELECT id, name, threshold FROM "group" WHERE id = $1', [group_id]);
  return { ...rest, group: group.rows[0]! };
}

export type Revoked = { before: Signs["state"]; certificates: string[] };

/** From the commit on the worker takes nothing of it, the listener renews nothing, and the broker is told within seconds. */
export async function revoke(tx: PoolClient, asked: { id: string; name: string; reason: string }): Promise<Revoked> {
  const { state } = await lock(tx, asked.id, asked.name);
  if (state === "revoked") throw new Refusal("CONFLICT", "This workstation is revoked already.");
  await tx.query("UPDATE workstation SET state = 'revoked', state_reason = $2 WHERE id = $1", [asked.id, asked.reason]);
  const { rows } = await tx.query<{ serial: string }>(
    "UPDATE certificate SET revoked_at = now(), reason = $2 WHERE workstation_id = $1 AND revoked_at IS NULL RETURNING serial",
    [asked.id, asked.reason],
  );
  return { before: state, certificates: rows.map(({ serial }) => serial).sort() };
}

export type MovedTo = { from: Locked["group"]; to: { id: string; name: string }; order: number };

/** Signs the new membership. The agent believes it by the signers of the group it is in, so that group's threshold is what
 *  counts: a console alone cannot take a workstation out of a group that wants more signatures than its own. */
export async function move(
  tx: PoolClient,
  signer: Signer,
  asked: { id: string; name: string; group: string; now: Date },
): Promise<MovedTo> {
  const { state, group: from } = await lock(tx, asked.id, asked.name);
  if (state !== "enrolled")
    throw new Refusal(
      "PRECONDITION_FAILED",
      `A ${state} workstation cannot be moved. Enrol it anew in the other group.`,
    );
  if (from.id === asked.group) throw new Refusal("CONFLICT", `It is in ${from.name} already.`);
  if (from.threshold > 1)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `Leaving ${from.name} needs ${from.threshold} signatures; the console's key alone is not enough.`,
    );
  const statement = await signMembership(tx, signer, asked.id as WorkstationId, asked.group as GroupId, asked.now);
  if (!statement)
    throw new Refusal("PRECONDITION_FAILED", "There is no such group, or this console's key is not among its signers.");
  const { rows } = await tx.query<{ name: string }>(
    `UPDATE workstation SET group_id = $2 FROM "group" g WHERE workstation.id = $1 AND g.id = $2 RETURNING g.name`,
    [asked.id, asked.group],
  );
  await tx.query("SELECT pg_notify('publication', $1)", [asked.group]);
  const { order } = JSON.parse(statement.text) as { order: number };
  return { from, to: { id: asked.group, name: rows[0]?.name ?? asked.group }, order };
}

export type Described = { name: string; labels: string[] };

/** Its name and labels; neither means anything to the agent or to policy. Answers what they were. */
export async function describe(tx: PoolClient, asked: { id: string; name: string; to: Described }): Promise<Described> {
  const { name, labels } = await lock(tx, asked.id, asked.name);
  await tx.query("UPDATE workstation SET name = $2, labels = $3 WHERE id = $1", [
    asked.id,
    asked.to.name,
    asked.to.labels,
  ]);
  return { name, labels };
}
