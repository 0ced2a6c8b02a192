/** A policy is published to its whole group: put into force at once where the console's key decides, put before the group's
 *  approvers where they must sign, and put into force when enough have. */
import { PolicyDigest } from "@sallyport/shared/base/ids.ts";
import { type Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { CarriedPolicy, type SignedStatement } from "@sallyport/shared/policy/statement.ts";
import type { PoolClient } from "pg";
import { z } from "zod";
import type { Carrying } from "../approval/carrying.ts";
import { needsPeople, propose, proposedAct, supersedeProposals, type Waiting } from "../approval/propose.ts";
import { lockGroup, putPublication, signPolicy } from "../dispatch/publication.ts";
import type { Act } from "../person/act.ts";
import { type Superseded, supersede } from "../rollout/supersede.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseManaged } from "./managed.ts";

export type Publishing = {
  group: string;
  source: string;
  policy: Policy;
  message: string;
  /** The order the author looked at; another one in force by now is a conflict, not an overwrite. */
  basedOn: number;
  author: string;
  now: Date;
  /** Where it comes from; nothing for a person's page. */
  repository?: string | null | undefined;
};

export type Published = {
  order: number;
  digest: PolicyDigest;
  name: string;
  before: string | null;
  /** The rollout that it ended. */
  superseded?: Superseded | undefined;
  /** Nothing is in force: people must sign first. */
  waiting?: Waiting;
};

/** All that is needed to publish once the statement is signed: JSON. */
const Prepared = z.object({
  group: z.string(),
  order: z.int(),
  digest: PolicyDigest,
  source: z.string(),
  message: z.string(),
  before: z.string().nullable(),
  /** The newest order of the group when it was asked for. */
  newest: z.int(),
  author: z.string(),
  repository: z.string().nullable(),
});
type Prepared = z.infer<typeof Prepared>;

/** Signs the policy for its group and puts it into force, in the caller's transaction; or puts it before those who must
 *  sign as well. */
export async function publish(tx: PoolClient, key: ConsoleKey, asked: Publishing): Promise<Published> {
  const { group, now } = asked;
  await refuseManaged(tx, group, asked.repository ?? null);
  const { name, by, whole, newest, next: order } = await lockGroup(tx, group, asked.basedOn);
  const digest = policyDigest(sha256, asked.policy);
  if (whole?.digest === digest && whole.order === newest)
    throw new Refusal("CONFLICT", "This is the policy that is in force already; nothing to publish.");
  const prepared: Prepared = {
    ...{ group, order, digest, source: asked.source, message: asked.message, before: whole?.digest ?? null },
    ...{ newest, author: asked.author, repository: asked.repository ?? null },
  };
  const statement = signPolicy(key, { group, order, digest, policy: asked.policy, now });
  const done = { order, digest, name, before: prepared.before };
  if (!needsPeople(by)) return { ...done, superseded: await put(tx, prepared, statement, now) };
  const waiting = await propose(tx, {
    ...{ by, kind: "policy", statements: [statement], act: prepared, asker: asked.author, now },
    text: `publish r${order} of ${name}`,
    ...{ message: asked.message, subject: `group/${group}` },
  });
  return { ...done, waiting };
}

async function put(
  tx: PoolClient,
  prepared: Prepared,
  statement: SignedStatement,
  now: Date,
): Promise<Superseded | undefined> {
  const { group, order, digest, author } = prepared;
  const reason = `r${order} was published to the whole group`;
  const superseded = await supersede(tx, group, { reason, by: author, now });
  await supersedeProposals(tx, group, { reason, by: author });
  const { policy } = CarriedPolicy.parse(JSON.parse(statement.carried));
  const written = { ...prepared, parent: prepared.before ?? undefined };
  await putPublication(tx, { group, order, digest, policy, now }, statement, written);
  return superseded;
}

/** Enough people have signed what was prepared. @throws Refusal where the group has gone on since */
export async function publishSigned(tx: PoolClient, { act, statements, now }: Carrying): Promise<Act> {
  const prepared = Prepared.parse(act);
  await refuseManaged(tx, prepared.group, prepared.repository);
  const { name } = await lockGroup(tx, prepared.group, prepared.newest);
  const superseded = await put(tx, prepared, statements[0]!, now);
  return publishedAct(prepared, { ...prepared, name, superseded });
}

export function publishedAct(
  asked: Pick<Publishing, "group" | "message" | "repository">,
  { waiting, ...done }: Published,
): Act {
  const subject = `group/${asked.group}`;
  const after = {
    ...{ digest: done.digest as string, order: done.order, message: asked.message },
    ...(asked.repository && { repository: asked.repository }),
  };
  if (waiting) return proposedAct(`publish r${done.order} of ${done.name}: ${asked.message}`, subject, waiting, after);
  const { superseded = null } = done;
  const ends = superseded ? `, which ends the rollout of r${superseded.order}` : "";
  const text = `published revision ${done.order} of ${done.name}${ends}: ${asked.message}`.slice(0, 900);
  return { kind: "person.policy-published", text, subject, before: { digest: done.before, superseded }, after };
}
