/** Who signs for a group: a new membership for each of its workstations, believed by the signers of before. */
import { fromBase64, toBase64 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { KeyText } from "@sallyport/shared/base/key.ts";
import type { Signers } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { z } from "zod";
import { draftMemberships, type GroupSigners, putStatements, readSigners } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
import { hash } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";
import { addressed } from "./addressed.ts";
import type { Carrying } from "./carrying.ts";
import { needsPeople, propose, proposedAct, type Waiting } from "./propose.ts";

const APPROVERS_MAX = 24;
const NEEDED_MAX = 15;

export const Approver = z.object({ name: z.string().trim().min(1).max(128), publicKey: KeyText });
/** `needed` of the approvers must sign beside the console; 0 and nobody: its key alone. */
export const Choice = z
  .object({
    approvers: z.array(Approver).max(APPROVERS_MAX),
    needed: z.int().min(0).max(NEEDED_MAX),
  })
  .superRefine(({ approvers, needed }, context) => {
    const say = (message: string) => context.addIssue({ code: "custom", message });
    if (needed > approvers.length) say(`${needed} must sign, and there are ${approvers.length} approvers`);
    if (needed === 0 && approvers.length > 0) say("there are approvers, and none of them need sign: say how many must");
    for (const each of ["name", "publicKey"] as const)
      if (new Set(approvers.map((approver) => approver[each])).size < approvers.length)
        say(each === "name" ? "two approvers have one name" : "one key is there twice");
  });
export type Choice = z.infer<typeof Choice>;

const Prepared = z.object({ group: z.string(), choice: Choice, reason: z.string() });

export type Changed = { act: Act; waiting: Waiting | null };

/** @throws Refusal */
export async function changeSigners(
  tx: PoolClient,
  key: Signer,
  asked: { group: string; choice: Choice; reason: string; by: string; now: Date },
): Promise<Changed> {
  const { group, choice, reason, now } = asked;
  const before = await lockGroup(tx, group);
  const own = toBase64(key.publicKey);
  if (choice.approvers.some(({ publicKey }) => publicKey === own))
    throw new Refusal("BAD_REQUEST", "This is the console's own key: an approver's is kept outside the console.");
  const signers = signersOf(before, choice);
  const same = (each: Signers) => canonicalText({ ...each, keys: each.keys.map(({ publicKey }) => publicKey).sort() });
  const names = Object.fromEntries(choice.approvers.map(({ publicKey, name }) => [publicKey, name]));
  if (same(signers) === same(before.signers) && canonicalText(names) === canonicalText(before.names))
    throw new Refusal("CONFLICT", "These are the group's approvers already; nothing to change.");
  const statements = await draftMemberships(tx, key, await membersOf(tx, group), group as GroupId, now, signers);
  if (!statements)
    throw new Refusal("PRECONDITION_FAILED", `This console's key is not among the signers of ${before.name}.`);
  const prepared = { group, choice, reason };
  const words = changeWords(before.name, choice);
  // nobody believes anything of it yet where nobody is in it
  if (!needsPeople(before) || statements.length === 0)
    return { act: await changeSigned(tx, { act: prepared, statements, now }), waiting: null };
  const waiting = await propose(tx, {
    ...{ by: before, kind: "signers", text: words, message: reason, subject: `group/${group}` },
    ...{ statements, act: prepared, asker: asked.by, now },
  });
  const after = { ...told(choice), reason };
  return { act: proposedAct(`${words}: ${reason}`, `group/${group}`, waiting, after), waiting };
}

/** Each of its workstations is told, and the group's rows say the same. */
export async function changeSigned(tx: PoolClient, { act, statements }: Carrying): Promise<Act> {
  const { group, choice, reason } = Prepared.parse(act);
  const before = await lockGroup(tx, group);
  const members = new Set(await membersOf(tx, group));
  // who has left since is told by the group that it is in
  const told_ = addressed(statements).filter(({ workstation }) => members.delete(workstation));
  await putStatements(tx, told_);
  if (members.size > 0)
    throw new Refusal(
      "CONFLICT",
      `${members.size} workstations came into ${before.name} since this was asked for: ask again, so that they are told as well`,
    );
  const signers = signersOf(before, choice);
  await tx.query('UPDATE "group" SET threshold = $2 WHERE id = $1', [group, signers.threshold]);
  await tx.query("DELETE FROM group_key WHERE group_id = $1 AND role = 'approver'", [group]);
  for (const { name, publicKey } of choice.approvers)
    await tx.query(
      "INSERT INTO group_key (group_id, key_id, public_key, role, name) VALUES ($1, $2, $3, 'approver', $4)",
      [group, keyId(hash, fromBase64(publicKey)), publicKey, name],
    );
  await tx.query("SELECT pg_notify('publication', $1)", [group]);
  return {
    kind: "person.signers-changed",
    severity: "warning",
    text: `changed who signs for ${before.name}: ${changeWords(before.name, choice)}: ${reason}`.slice(0, 900),
    subject: `group/${group}`,
    before: told(choiceOf(before)),
    after: { ...told(choice), reason, workstations: told_.length },
  };
}

const changeWords = (group: string, { approvers, needed }: Choice): string =>
  needed === 0
    ? `in ${group} the console's key signs alone`
    : `in ${group} ${needed} of ${approvers.map(({ name }) => name).join(", ")} must sign`;

const told = ({ approvers, needed }: Choice) => ({
  needed,
  approvers: approvers.map(({ name, publicKey }) => ({ name, key: keyId(hash, fromBase64(publicKey)), publicKey })),
});

const choiceOf = ({ names, needed }: GroupSigners): Choice => ({
  needed,
  approvers: Object.entries(names).map(([publicKey, name]) => ({ name: name || publicKey, publicKey })),
});

/** The console's keys stay; it is one of those who must sign. */
function signersOf({ signers }: GroupSigners, { approvers, needed }: Choice): Signers {
  const console = signers.keys.filter(({ role }) => role === "console");
  const people = approvers.map(({ publicKey }) => ({
    ...{ id: keyId(hash, fromBase64(publicKey)), publicKey },
    role: "approver" as const,
  }));
  return { threshold: needed + 1, keys: [...console, ...people] };
}

/** Nobody comes into it or leaves it until the transaction ends. */
async function lockGroup(tx: PoolClient, group: string): Promise<GroupSigners> {
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR UPDATE', [group]);
  const found = await readSigners(tx, group);
  if (!found) throw new Refusal("NOT_FOUND", "There is no such group.");
  return found;
}

async function membersOf(tx: PoolClient, group: string): Promise<WorkstationId[]> {
  const { rows } = await tx.query<{ id: WorkstationId }>(
    "SELECT id FROM workstation WHERE group_id = $1 AND state = 'enrolled' ORDER BY id",
    [group],
  );
  return rows.map(({ id }) => id);
}
