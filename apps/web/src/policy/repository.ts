/** A repository's folder of policies ↔ Postgres: planned, and applied in one transaction, all of it or nothing. */
import { randomUUID } from "node:crypto";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { alike } from "@sallyport/shared/policy/group-name.ts";
import type { Policy } from "@sallyport/shared/policy/policy.ts";
import {
  type GroupNow,
  type Planning,
  planCounts,
  planRefusals,
  planRepository,
  type RepositoryPlan,
  type Step,
} from "@sallyport/shared/policy/repository.ts";
import { readPlan } from "@sallyport/shared/rollout/document.ts";
import type { RolloutState } from "@sallyport/shared/rollout/state.ts";
import type { Pool, PoolClient } from "pg";
import { type Act, actRecord, type RecordConsole, withRecord } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import { start, startedAct } from "../rollout/start.ts";
import { supersede } from "../rollout/supersede.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";
import { publish, publishedAct } from "./publish.ts";
import { makeGroup } from "./store.ts";

export type RepositoryParts = { pool: Pool; recordConsole: RecordConsole; consoleKey: ConsoleKey };
type By = { id: string; email: string; session?: string; token?: string };
type Asked = Omit<Planning, "groups">;

/** Every group, retired ones too; with its policy where the folder names it. */
async function loadGroups(db: Pool | PoolClient, { files }: Asked): Promise<GroupNow[]> {
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

/** Changes nothing. @throws Refusal where the folder makes no sense */
export async function planFolder(db: Pool | PoolClient, asked: Asked): Promise<RepositoryPlan> {
  const planned = planRepository(sha256, { ...asked, groups: await loadGroups(db, asked) });
  if (planned.ok) return planned.plan;
  throw new Refusal("BAD_REQUEST", planned.faults.join("\n"));
}

export type Applying = Asked & { expect: string; message: string };
export type Applied = {
  plan: RepositoryPlan;
  done: { group: string; act: string; order?: number; rollout?: string }[];
};

/** Does what the plan of this digest says, or nothing. */
export async function applyFolder(parts: RepositoryParts, by: By, origin: Origin, asked: Applying): Promise<Applied> {
  const { pool, recordConsole } = parts;
  return withRecord(pool, recordConsole, by, origin, async (tx) => {
    // in one order, so that two pipelines wait for each other and neither for ever
    await tx.query('SELECT FROM "group" ORDER BY id FOR NO KEY UPDATE');
    const plan = await planFolder(tx, asked);
    if (plan.digest !== asked.expect)
      throw new Refusal(
        "CONFLICT",
        "The plan is another one by now: a revision, a rollout or the folder moved since. Plan again and look. Nothing was changed.",
      );
    const refused = planRefusals(plan);
    if (refused.length > 0) throw new Refusal("PRECONDITION_FAILED", `${refused.join("\n")}\nNothing was changed.`);
    const steps = plan.steps.filter(({ act }) => act !== "none");
    if (steps.length === 0) throw new NothingToDo(plan);
    const say = (act: Act) => recordConsole(tx, actRecord(by, origin, act));
    const done: Applied["done"] = [];
    for (const step of steps) done.push(await applyStep(tx, parts, { ...asked, by, step, say }));
    const { none, ...counts } = planCounts(plan);
    const where = plan.repository ?? "a folder";
    return {
      act: {
        kind: "person.repository-applied",
        text: `applied ${where}: ${counts.create} made, ${counts.change} changed, ${counts.delete} retired: ${asked.message}`.slice(
          0,
          900,
        ),
        ...(plan.repository !== null && { subject: `repository/${plan.repository}`.slice(0, 256) }),
        before: steps.map(({ group, newest, before }) => ({ group, newest, digest: before })),
        after: {
          plan: plan.digest,
          message: asked.message,
          unchanged: none,
          groups: steps.map(({ group, act, after }) => ({ group, act, digest: after })),
        },
      },
      value: { plan, done },
    };
  }).catch((error: unknown) => {
    if (error instanceof NothingToDo) return { plan: error.plan, done: [] };
    throw error;
  });
}

/** Nothing happened, so nothing is recorded. */
class NothingToDo extends Error {
  readonly plan: RepositoryPlan;
  constructor(plan: RepositoryPlan) {
    super("nothing to do");
    this.plan = plan;
  }
}

type Doing = Applying & { by: By; step: Step; say: (act: Act) => Promise<unknown> };

async function applyStep(tx: PoolClient, parts: RepositoryParts, asked: Doing): Promise<Applied["done"][number]> {
  const { step, repository, by, say } = asked;
  if (step.act === "delete" && step.id !== null) {
    await supersede(tx, step.id, { reason: `${step.group} was retired`, by: by.id, now: new Date() });
    await retire(tx, step.id);
    await say({
      kind: "person.group-retired",
      severity: "warning",
      text: `retired the group ${step.group}: its file is gone from ${repository}`,
      subject: `group/${step.id}`,
      before: { retired: false },
      after: { retired: true },
    });
    return { group: step.group, act: step.act };
  }
  const group = step.id ?? (await make(tx, parts, step.group, say));
  if (step.revives) {
    await tx.query('UPDATE "group" SET retired_at = NULL WHERE id = $1', [group]);
    await say({
      kind: "person.group-revived",
      text: `brought the group ${step.group} back`,
      subject: `group/${group}`,
      before: { retired: true },
      after: { retired: false },
    });
  }
  if (step.takes) await setRepository(tx, group, repository, say);
  if (step.how === null) return { group: step.group, act: step.act };
  const file = asked.files.find((each) => each.file === step.file);
  const policy = policyOf(file?.source ?? "");
  const writing = {
    group,
    source: file?.source ?? "",
    policy,
    message: asked.message,
    basedOn: step.newest,
    author: by.id,
    now: new Date(),
    repository,
  };
  if (step.how === "publish") {
    const published = await publish(tx, parts.consoleKey, writing);
    await say(publishedAct(writing, published));
    return { ...{ group: step.group, act: step.act, order: published.order }, ...waitingOf(published) };
  }
  const plan = readPlan(file?.rollout?.source ?? "");
  if (!plan.ok) throw new Refusal("BAD_REQUEST", plan.error.join("\n"));
  const id = randomUUID();
  const starting = { ...writing, id, plan: plan.value };
  const started = await start(tx, parts.consoleKey, starting);
  await say(startedAct(starting, started));
  const done = { group: step.group, act: step.act, order: started.order };
  return started.waiting ? { ...done, ...waitingOf(started) } : { ...done, rollout: id };
}

const waitingOf = ({ waiting }: { waiting?: { id: string; needed: number } }) =>
  waiting ? { waiting: { id: waiting.id, needed: waiting.needed } } : {};

/** Whoever comes in at this moment waits for the lock, and is then refused; whoever came in before is seen. */
async function retire(tx: PoolClient, group: string): Promise<void> {
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR UPDATE', [group]);
  const { rowCount } = await tx.query(
    `UPDATE "group" g SET retired_at = now() WHERE id = $1
        AND NOT EXISTS (SELECT FROM workstation w WHERE w.group_id = g.id AND w.state <> 'revoked')
        AND NOT EXISTS (SELECT FROM enrol_token t WHERE t.group_id = g.id AND t.revoked_at IS NULL AND t.used < t.uses
                           AND t.expires > now())`,
    [group],
  );
  if (rowCount !== 1)
    throw new Refusal("CONFLICT", "Somebody came into a group that was to be retired. Nothing was changed.");
}

async function make(tx: PoolClient, { consoleKey }: RepositoryParts, name: string, say: Doing["say"]): Promise<string> {
  const id = await makeGroup(tx, name, consoleKey);
  await say({ kind: "person.group-made", text: `made the group ${name}`, subject: id, after: { name } });
  return id;
}

/** `repository` null: this console is its source again. In the caller's transaction. */
async function setRepository(
  tx: PoolClient,
  group: string,
  repository: string | null,
  say: Doing["say"],
): Promise<void> {
  await say(await markRepository(tx, group, repository, undefined));
}

/** Answers the act. @throws Refusal where there is no such group, or it is so already */
export async function markRepository(
  tx: PoolClient,
  group: string,
  repository: string | null,
  reason: string | undefined,
): Promise<Act> {
  const { rows } = await tx.query<{ name: string; repository: string | null }>(
    'SELECT name, repository FROM "group" WHERE id = $1 FOR UPDATE',
    [group],
  );
  const [row] = rows;
  if (!row) throw new Refusal("NOT_FOUND", "There is no such group.");
  if (row.repository === repository)
    throw new Refusal(
      "CONFLICT",
      repository === null ? `${row.name} is this console's already.` : `${row.name} is managed from there already.`,
    );
  await tx.query('UPDATE "group" SET repository = $2 WHERE id = $1', [group, repository]);
  const why = reason ? `: ${reason}` : "";
  const text =
    repository === null
      ? `took ${row.name} back from ${row.repository}${why}`
      : `has ${row.name} managed from ${repository}${why}`;
  return {
    kind: "person.group-managed",
    text: text.slice(0, 900),
    subject: `group/${group}`,
    before: { repository: row.repository },
    after: { repository, ...(reason !== undefined && { reason }) },
  };
}

function policyOf(source: string): Policy {
  const read = readPolicy(source);
  if (read.ok) return read.policy;
  throw new Refusal("BAD_REQUEST", "This is no policy."); // the plan has read it already
}
