/** What an admin does to one workstation ↔ Postgres, each in the caller's transaction: revoke, move, describe. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Membership, type SignedStatement } from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { z } from "zod";
import type { Carrying } from "../approval/carrying.ts";
import { isChanging, needsPeople, propose, proposedAct, type Waiting } from "../approval/propose.ts";
import { draftMembership, putStatement, readSigners } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
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

export type MovedTo = {
  from: Locked["group"];
  to: { id: string; name: string };
  order: number;
  /** It has not moved: people must sign first. */
  waiting?: Waiting;
};

const Prepared = z.object({
  id: z.string(),
  name: z.string(),
  group: z.string(),
  from: z.object({ id: z.string(), name: z.string(), threshold: z.int() }),
});

/** Signs the new membership. The agent believes it by the signers of the group it is in, so that group's threshold is what
 *  counts: a console alone cannot take a workstation out of a group that wants more signatures than its own. */
export async function move(
  tx: PoolClient,
  signer: Signer,
  asked: { id: string; name: string; group: string; by: string; now: Date },
): Promise<MovedTo> {
  const { state, group: from } = await lock(tx, asked.id, asked.name);
  if (state !== "enrolled")
    throw new Refusal(
      "PRECONDITION_FAILED",
      `A ${state} workstation cannot be moved. Enrol it anew in the other group.`,
    );
  if (from.id === asked.group) throw new Refusal("CONFLICT", `It is in ${from.name} already.`);
  await refuseUnsettled(tx, asked.group);
  const statement = await draftMembership(tx, signer, asked.id as WorkstationId, asked.group as GroupId, asked.now);
  const to = await readSigners(tx, asked.group);
  if (!statement || !to)
    throw new Refusal("PRECONDITION_FAILED", "There is no such group, or this console's key is not among its signers.");
  const by = (await readSigners(tx, from.id))!;
  const { order } = JSON.parse(statement.text) as { order: number };
  const moved = { from, to: { id: to.group, name: to.name }, order };
  const act = { id: asked.id, name: asked.name, group: asked.group, from };
  if (!needsPeople(by)) {
    await put(tx, asked.id, asked.group, statement);
    return moved;
  }
  const waiting = await propose(tx, {
    ...{ by, kind: "move", statements: [statement], act, asker: asked.by, now: asked.now },
    ...{ text: `move ${asked.name} from ${from.name} to ${to.name}`, message: "", subject: `workstation/${asked.id}` },
  });
  return { ...moved, waiting };
}

async function put(tx: PoolClient, workstation: string, group: string, statement: SignedStatement): Promise<void> {
  await putStatement(tx, workstation, statement);
  await tx.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [workstation, group]);
  await tx.query("SELECT pg_notify('publication', $1)", [group]);
}

/** Enough people of the group that it leaves have signed. @throws Refusal where it is elsewhere by now */
export async function moveSigned(tx: PoolClient, { act, statements }: Carrying): Promise<Act> {
  const { id, group, name, from } = Prepared.parse(act);
  const now = await lock(tx, id, name);
  if (now.state !== "enrolled") throw new Refusal("PRECONDITION_FAILED", `It is ${now.state} by now.`);
  if (now.group.id !== from.id) throw new Refusal("CONFLICT", `It is in ${now.group.name} by now.`);
  await refuseUnsettled(tx, group);
  const to = await readSigners(tx, group);
  const { signers } = Membership.parse(JSON.parse(statements[0]!.carried));
  if (!to || canonicalText(signers) !== canonicalText(to.signers))
    throw new Refusal("CONFLICT", `Who signs for ${to?.name ?? "that group"} has changed since: ask again.`);
  await put(tx, id, group, statements[0]!);
  const { order } = JSON.parse(statements[0]!.text) as { order: number };
  return movedAct({ id, name }, { from, to: { id: group, name: to.name }, order });
}

/** Whoever came in now would not hear of the group's new approvers. */
async function refuseUnsettled(tx: PoolClient, group: string): Promise<void> {
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR KEY SHARE', [group]);
  if (await isChanging(tx, group))
    throw new Refusal(
      "CONFLICT",
      "That group's approvers are about to change: sign or withdraw that first, on the Approvals page.",
    );
}

export function movedAct({ id, name }: { id: string; name: string }, { from, to, order, waiting }: MovedTo): Act {
  const subject = `workstation/${id}`;
  const after = { group: to.id, name: to.name, order };
  const text = `${name} from ${from.name} to ${to.name}`;
  if (waiting) return proposedAct(`move ${text}`, subject, waiting, after);
  return {
    kind: "person.workstation-moved",
    text: `moved ${text}`,
    subject,
    before: { group: from.id, name: from.name },
    after,
  };
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
