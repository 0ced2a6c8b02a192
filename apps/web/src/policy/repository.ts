/** A repository's folder of policies ↔ Postgres: planned, and applied in one transaction, all of it or nothing. */
import { planCounts, planRefusals, planRepository, type RepositoryPlan } from "@sallyport/shared/policy/repository.ts";
import type { Pool, PoolClient } from "pg";
import { type Act, actRecord, type RecordConsole, withRecord } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";
import { type Asked, loadGroups } from "./repository-groups.ts";
import { type Applying, applyStep, type By, type Done } from "./repository-step.ts";

export type RepositoryParts = { pool: Pool; recordConsole: RecordConsole; consoleKey: ConsoleKey };

/** Changes nothing. @throws Refusal where the folder makes no sense */
export async function planFolder(db: Pool | PoolClient, asked: Asked): Promise<RepositoryPlan> {
  const planned = planRepository(sha256, { ...asked, groups: await loadGroups(db, asked) });
  if (planned.ok) return planned.plan;
  throw new Refusal("BAD_REQUEST", planned.faults.join("\n"));
}

export type Applied = { plan: RepositoryPlan; done: Done[] };

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
    const done: Done[] = [];
    for (const step of steps) done.push(await applyStep(tx, parts.consoleKey, { ...asked, by, step, say }));
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
