/** What a person does to rollouts, from a page or by an API token: the change and its record in one transaction. */
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { POLICY_CHARS_MAX, readPolicy } from "@sallyport/shared/policy/document.ts";
import { Repository } from "@sallyport/shared/policy/repository.ts";
import type { Command } from "@sallyport/shared/rollout/command.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import type { Pool } from "pg";
import { z } from "zod";
import type { Waiting } from "../approval/propose.ts";
import { type RecordConsole, withRecord } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { Refusal } from "../trpc/errors.ts";
import { start, startedAct } from "./start.ts";
import { commandRollout } from "./store.ts";

export const RolloutId = z.uuid({ version: "v4" });
export const Reason = z.string().trim().min(3, "say in a few words why").max(500);

export const Beginning = z.object({
  id: RolloutId,
  group: GroupId,
  source: z.string().max(POLICY_CHARS_MAX),
  message: z.string().trim().min(3, "say in a few words what changes and why").max(500),
  basedOn: z.int().min(0).optional(),
  plan: Plan,
  /** Of a pipeline: the repository that the group is managed from. */
  repository: Repository.optional(),
});
export type Beginning = z.infer<typeof Beginning>;

export type Parts = { pool: Pool; recordConsole: RecordConsole; consoleKey: ConsoleKey };
type By = { id: string; email: string; session?: string; token?: string };

/** `waiting`: nothing has begun; people must sign first. */
export type Begun = { id: string; order: number; waiting: Waiting | null };

export function begin(parts: Parts, by: By, origin: Origin, asked: Beginning): Promise<Begun> {
  const read = readPolicy(asked.source);
  if (!read.ok) {
    const faults = read.faults.map(({ path, line, message }) => `line ${line}${path && `, ${path}`}: ${message}`);
    throw new Refusal("BAD_REQUEST", `This is no policy.\n${faults.join("\n")}`);
  }
  return withRecord(parts.pool, parts.recordConsole, by, origin, async (tx) => {
    const starting = { ...asked, policy: read.policy, author: by.id, now: new Date() };
    const done = await start(tx, parts.consoleKey, starting);
    return {
      act: startedAct(starting, done),
      value: { id: asked.id, order: done.order, waiting: done.waiting ?? null },
    };
  });
}

const DID: Record<Command, string> = {
  pause: "paused",
  resume: "resumed",
  promote: "promoted",
  abort: "aborted",
};

export type Asked = { id: string; command: Command; reason: string; version?: number | undefined };

export function actOn(parts: Parts, by: By, origin: Origin, asked: Asked): Promise<{ state: string }> {
  return withRecord(parts.pool, parts.recordConsole, by, origin, async (tx) => {
    const { row, after } = await commandRollout(tx, { ...asked, version: asked.version, by: by.id, now: new Date() });
    const act = {
      kind: `person.rollout-${DID[asked.command]}`,
      ...(asked.command === "abort" && { severity: "warning" as const }),
      text: `${DID[asked.command]} the rollout of r${row.order} to ${row.group_name}: ${asked.reason}`.slice(0, 900),
      subject: `rollout/${asked.id}`,
      before: row.state,
      after,
    } as const;
    return { act, value: { state: after.name } };
  });
}
