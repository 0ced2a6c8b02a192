/** A rollout begins: the revision and what an abort goes back to are signed, and rows are made; the worker does the rest. */
import { PolicyDigest } from "@sallyport/shared/base/ids.ts";
import { cutOffWords } from "@sallyport/shared/policy/cut-off.ts";
import { type Policy, Policy as PolicyDocument, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { CarriedPolicy, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { type GroupFacts, Plan, planFaults } from "@sallyport/shared/rollout/plan.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { Pool, PoolClient } from "pg";
import { z } from "zod";
import type { Carrying } from "../approval/carrying.ts";
import { needsPeople, propose, proposedAct, supersedeProposals, type Waiting } from "../approval/propose.ts";
import { lockGroup, putPublication, signPolicy } from "../dispatch/publication.ts";
import type { Act } from "../person/act.ts";
import { refuseManaged } from "../policy/managed.ts";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";
import { say, wake } from "./apply.ts";
import { type Superseded, supersede } from "./supersede.ts";

export type Starting = {
  /** Chosen by who asks, so that asking twice starts once, and the waves shown before are the waves. */
  id: string;
  group: string;
  source: string;
  policy: Policy;
  message: string;
  basedOn?: number | undefined;
  plan: Plan;
  author: string;
  now: Date;
  /** Where it comes from; nothing for a person's page. */
  repository?: string | null | undefined;
};

export type Started = {
  order: number;
  digest: PolicyDigest;
  name: string;
  before: string | null;
  superseded: Superseded | undefined;
  /** Nothing has begun: people must sign first. */
  waiting?: Waiting;
};

/** All that is needed to begin once the statements are signed: JSON. */
const Prepared = z.object({
  id: z.string(),
  group: z.string(),
  order: z.int(),
  digest: PolicyDigest,
  source: z.string(),
  message: z.string(),
  plan: Plan,
  reportSeconds: z.int(),
  /** Signed with it, beside the revision itself. */
  fallback: z.object({ order: z.int(), digest: PolicyDigest }).nullable(),
  before: z.string().nullable(),
  /** The newest order of the group when it was asked for. */
  newest: z.int(),
  author: z.string(),
  repository: z.string().nullable(),
});
type Prepared = z.infer<typeof Prepared>;

export async function start(tx: PoolClient, key: Signer, asked: Starting): Promise<Started> {
  const { id, group, plan, now } = asked;
  await refuseManaged(tx, group, asked.repository ?? null);
  const { name, by, whole, newest, next } = await lockGroup(tx, group, asked.basedOn);
  const digest = policyDigest(sha256, asked.policy);
  if (whole?.digest === digest)
    throw new Refusal("CONFLICT", "This is the policy that the whole group should have already; nothing to roll out.");
  const before = whole && carriedBy(whole.statement);
  const reportSeconds = Math.max(asked.policy.agent.reportSeconds, before?.reportSeconds ?? 0);
  const faults = planFaults(plan, await groupFacts(tx, group, reportSeconds));
  if (faults.length > 0) throw new Refusal("BAD_REQUEST", faults.join("\n"));
  const fallback = whole &&
    before && { group, order: next + 1, digest: whole.digest, policy: before.policy as unknown, now };
  const prepared: Prepared = {
    ...{ id, group, order: next, digest, source: asked.source, message: asked.message, plan, reportSeconds },
    fallback: fallback ? { order: fallback.order, digest: fallback.digest } : null,
    before: whole?.digest ?? null,
    ...{ newest, author: asked.author, repository: asked.repository ?? null },
  };
  const ordered = { group, order: next, digest, policy: asked.policy, now };
  const statements = [signPolicy(key, ordered, whole?.digest), ...(fallback ? [signPolicy(key, fallback)] : [])];
  const done = { order: next, digest, name, before: prepared.before, superseded: undefined };
  if (!needsPeople(by)) return { ...done, superseded: await put(tx, prepared, statements, now) };
  const waiting = await propose(tx, {
    ...{ by, kind: "rollout", statements, act: prepared, asker: asked.author, now },
    text: `roll r${next} out to ${name}`,
    ...{ message: asked.message, subject: `group/${group}` },
  });
  return { ...done, waiting };
}

/** The rows of a rollout whose statements are signed by as many as must. */
async function put(
  tx: PoolClient,
  prepared: Prepared,
  [statement, fallback]: readonly SignedStatement[],
  now: Date,
): Promise<Superseded | undefined> {
  const { id, group, order, digest, message, author } = prepared;
  const reason = `a rollout of r${order} began`;
  const superseded = await supersede(tx, group, { reason, by: author, now });
  await supersedeProposals(tx, group, { reason, by: author });
  await tx.query(
    `INSERT INTO rollout (id, group_id, "order", digest, message, plan, state, report_seconds, fallback_order,
                          fallback_digest, fallback, started_at, started_by)
     VALUES ($1, $2, $3, $4, $5, $6, '{"name": "pending"}', $7, $8, $9, $10, $11, $12)`,
    [
      id,
      group,
      order,
      digest,
      message,
      JSON.stringify(prepared.plan),
      prepared.reportSeconds,
      prepared.fallback?.order ?? null,
      prepared.fallback?.digest ?? null,
      fallback ? JSON.stringify(fallback) : null,
      now,
      author,
    ],
  );
  const { policy } = CarriedPolicy.parse(JSON.parse(statement!.carried));
  const written = { source: prepared.source, message, author, parent: prepared.before ?? undefined };
  await putPublication(tx, { group, order, digest, policy, now }, statement!, written);
  await say(tx, id, "made", author, message, now);
  await wake(tx, { id, group_id: group });
  return superseded;
}

/** Enough people have signed what was prepared. @throws Refusal where the group has gone on since */
export async function startSigned(tx: PoolClient, { act, statements, now }: Carrying): Promise<Act> {
  const prepared = Prepared.parse(act);
  const { group, order, digest, plan } = prepared;
  await refuseManaged(tx, group, prepared.repository);
  const { name } = await lockGroup(tx, group, prepared.newest);
  const faults = planFaults(plan, await groupFacts(tx, group, prepared.reportSeconds));
  if (faults.length > 0) throw new Refusal("BAD_REQUEST", faults.join("\n"));
  const superseded = await put(tx, prepared, statements, now);
  return startedAct(prepared, { order, digest, name, before: prepared.before, superseded });
}

export function startedAct(
  asked: Pick<Starting, "id" | "group" | "message" | "plan" | "repository">,
  done: Started,
): Act {
  if (done.waiting)
    return proposedAct(
      `roll r${done.order} out to ${done.name}: ${asked.message}`,
      `group/${asked.group}`,
      done.waiting,
      {
        ...{ group: asked.group, order: done.order, digest: done.digest, message: asked.message },
      },
    );
  const plan = JSON.parse(JSON.stringify(asked.plan)) as Act["after"]; // no key without a value
  return {
    kind: "person.rollout-started",
    text: `began to roll r${done.order} out to ${done.name}: ${asked.message}`.slice(0, 900),
    subject: `rollout/${asked.id}`,
    before: { digest: done.before, superseded: done.superseded ?? null },
    after: {
      ...{ group: asked.group, order: done.order, digest: done.digest, message: asked.message, plan: plan ?? null },
      ...(asked.repository && { repository: asked.repository }),
    },
  };
}

/** As it was signed: a later version's defaults must not change what its digest is over. */
function carriedBy(statement: unknown): { policy: unknown; reportSeconds: number } {
  const { policy } = CarriedPolicy.parse(JSON.parse(SignedStatement.parse(statement).carried));
  const read = PolicyDocument.safeParse(policy);
  return { policy, reportSeconds: read.success ? read.data.agent.reportSeconds : 0 };
}

/** What this policy would cut every workstation of the group off from, in words; empty where it would not. */
export async function cutOffOf(db: Pool, group: string, policy: Policy): Promise<string[]> {
  const before = PolicyDocument.safeParse((await wholeOf(db, group))?.policy ?? {});
  return cutOffWords(before.success ? before.data : PolicyDocument.parse({}), policy);
}

/** How often workstations of the group report until they have the new policy; 0 where it has none. */
export const reportSecondsOf = async (db: Pool, group: string): Promise<number> =>
  (await wholeOf(db, group))?.reportSeconds ?? 0;

async function wholeOf(db: Pool, group: string): Promise<ReturnType<typeof carriedBy> | undefined> {
  const { rows } = await db.query<{ statement: unknown }>("SELECT statement FROM wanted(NULL, $1)", [group]);
  return rows[0] && carriedBy(rows[0].statement);
}

/** Whom a plan is held against. */
export async function groupFacts(db: Pool | PoolClient, group: string, reportSeconds: number): Promise<GroupFacts> {
  const { rows } = await db.query<{ name: string; workstations: string; labels: Record<string, number> | null }>(
    `SELECT g.name, count(w.id) AS workstations,
            (SELECT jsonb_object_agg(label, count) FROM (
               SELECT label, count(*) FROM workstation x CROSS JOIN unnest(x.labels) AS label
                WHERE x.group_id = g.id AND x.state = 'enrolled' GROUP BY label) l) AS labels
       FROM "group" g LEFT JOIN workstation w ON w.group_id = g.id AND w.state = 'enrolled'
      WHERE g.id = $1 GROUP BY g.id`,
    [group],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", "There is no such group.");
  return { name: row.name, workstations: Number(row.workstations), labels: row.labels ?? {}, reportSeconds };
}
