/** /api/rollout … → rollouts for the command line and pipelines, by an API token: the same acts and records as a page's. */
import { issueLine } from "@sallyport/shared/base/issue.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { COMMANDS } from "@sallyport/shared/rollout/command.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import type { Pool } from "pg";
import { z } from "zod";
import { originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, pageOf, readJson, readPlace, refuse } from "../trpc/plain.ts";
import { actOn, Beginning, begin, type Parts, Reason, RolloutId } from "./act.ts";
import { listRollouts, Place } from "./listed.ts";
import { cutOffOf } from "./start.ts";
import { getRollout, preview } from "./store.ts";

const Start = Beginning.omit({ group: true, plan: true }).extend({
  /** Its id or its name. */
  group: z.string().min(1).max(128),
  plan: z.unknown(),
  /** Says who would be in which wave, and makes nothing. */
  preview: z.boolean().default(false),
});
const Move = z.object({ command: z.enum(COMMANDS), reason: Reason, version: z.int().optional() });

/** `path` is what follows /api/rollout. */
export const respondRollout = answered(async (parts: Parts, request: Request, path: readonly string[]) => {
  const isRead = request.method === "GET";
  const bearer = isRead
    ? await admit(parts.pool, request, "rollout:read", "entries")
    : await admit(parts.pool, request, "rollout:write", "policy");
  if (bearer instanceof Response) return bearer;
  try {
    const id = path[0] === undefined ? undefined : RolloutId.safeParse(path[0]).data;
    if (path.length > 1 || (path[0] !== undefined && id === undefined)) return refuse(404, "There is no such rollout.");
    const unread = isRead ? undefined : refuseForeign(request);
    if (unread) return unread;
    if (isRead && id) return Response.json(await getRollout(parts.pool, id));
    if (isRead) return pageOf(request, await listRollouts(parts.pool, { after: readPlace(request, Place) }));
    const body = await readJson(request);
    const origin = originOf(request.headers);
    if (id) return Response.json(await actOn(parts, bearer, origin, { id, ...Move.parse(body) }));
    const asked = Start.parse(body);
    const group = await groupOf(parts.pool, asked.group);
    if (asked.preview) return Response.json(await seen(parts.pool, { ...asked, group }));
    const plan = Plan.safeParse(asked.plan);
    if (!plan.success) return refuse(400, `This is no plan.\n${plan.error.issues.map(issueLine).join("\n")}`);
    return Response.json(await begin(parts, bearer, origin, Beginning.parse({ ...asked, group, plan: plan.data })));
  } catch (error) {
    if ((error as { code?: string }).code === "23505") return refuse(409, "A rollout of this id was begun already.");
    throw error;
  }
});

async function groupOf(pool: Pool, named: string): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM "group" WHERE (id::text = $1 OR name = $1) AND retired_at IS NULL',
    [named],
  );
  const [only, another] = rows;
  if (!only || another) throw new Refusal("NOT_FOUND", `There is ${only ? "more than one" : "no"} group ${named}.`);
  return only.id;
}

async function seen(pool: Pool, asked: { id: string; group: string; plan?: unknown; source: string }) {
  const read = readPolicy(asked.source);
  if (!read.ok)
    return { faults: read.faults.map(({ line, path, message }) => `line ${line}, ${path}: ${message}`), waves: [] };
  const { reportSeconds } = read.policy.agent;
  const planned = await preview(pool, { ...asked, plan: asked.plan, reportSeconds });
  return { ...planned, cutsOff: await cutOffOf(pool, asked.group, read.policy) };
}
