/** One step of a plan → Postgres, in the transaction of all of them, each change with its record. */
import { randomUUID } from "node:crypto";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import type { Policy } from "@sallyport/shared/policy/policy.ts";
import type { Step } from "@sallyport/shared/policy/repository/step.ts";
import { readPlan } from "@sallyport/shared/rollout/document.ts";
import type { PoolClient } from "pg";
import type { Act } from "../person/act.ts";
import { start, startedAct } from "../rollout/start.ts";
import { supersede } from "../rollout/supersede.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { Refusal } from "../trpc/errors.ts";
import { markRepository } from "./managed.ts";
import { publish, publishedAct } from "./publish.ts";
import type { Asked } from "./repository-groups.ts";
import { makeGroup } from "./store.ts";

export type By = { id: string; email: string; session?: string; token?: string };
export type Applying = Asked & { expect: string; message: string };
export type Done = { group: string; act: string; order?: number; rollout?: string };
type Doing = Applying & { by: By; step: Step; say: (act: Act) => Promise<unknown> };

export async function applyStep(tx: PoolClient, consoleKey: ConsoleKey, asked: Doing): Promise<Done> {
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
  const group = step.id ?? (await make(tx, consoleKey, step.group, say));
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
  if (step.takes) await say(await markRepository(tx, group, repository, undefined));
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
    const published = await publish(tx, consoleKey, writing);
    await say(publishedAct(writing, published));
    return { ...{ group: step.group, act: step.act, order: published.order }, ...waitingOf(published) };
  }
  const plan = readPlan(file?.rollout?.source ?? "");
  if (!plan.ok) throw new Refusal("BAD_REQUEST", plan.error.join("\n"));
  const id = randomUUID();
  const starting = { ...writing, id, plan: plan.value };
  const started = await start(tx, consoleKey, starting);
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

async function make(tx: PoolClient, consoleKey: ConsoleKey, name: string, say: Doing["say"]): Promise<string> {
  const id = await makeGroup(tx, name, consoleKey);
  await say({ kind: "person.group-made", text: `made the group ${name}`, subject: id, after: { name } });
  return id;
}

function policyOf(source: string): Policy {
  const read = readPolicy(source);
  if (read.ok) return read.policy;
  throw new Refusal("BAD_REQUEST", "This is no policy."); // the plan has read it already
}
