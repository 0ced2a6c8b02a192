/** /api/command → telling many workstations one thing, each by a statement and a record of its own, and how each stands; by an
 *  API token. What destroys or speaks of one guest is asked for on the workstation's page. */

import { CommandId } from "@sallyport/shared/base/ids.ts";
import { COMMAND_LIFE_MS_MAX } from "@sallyport/shared/command/command.ts";
import { z } from "zod";
import type { By } from "../person/act.ts";
import { type Origin, originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, readJson } from "../trpc/plain.ts";
import { AT_ONCE_MAX } from "./many.ts";
import { findTargets, statesOf } from "./store.ts";
import { type Answer, type Parts, tellEach } from "./tell.ts";

const name = z.string().min(1).max(253);
const Asked = z.strictObject({
  verb: z.enum(["isolate", "release", "rescan", "diagnostics"]),
  arguments: z.record(z.string().max(64), z.string().max(128)).default({}),
  /** By id, name or host name; by label; by group. All that are named, together. */
  workstations: z.array(name).max(AT_ONCE_MAX).default([]),
  labels: z.array(name).max(16).default([]),
  groups: z.array(name).max(16).default([]),
  /** It is not begun later than this. */
  minutes: z
    .int()
    .min(1)
    .max(COMMAND_LIFE_MS_MAX / 60_000)
    .default(60),
  reason: z.string().trim().min(3, "say in a few words why").max(300),
});
const Ids = z.array(CommandId).min(1).max(AT_ONCE_MAX);

export const respondCommand = answered(async (wiring: Parts, request: Request): Promise<Response> => {
  const isRead = request.method === "GET";
  const bearer = isRead
    ? await admit(wiring.pool, request, "command:read", "entries")
    : await admit(wiring.pool, request, "command:write", "command");
  if (bearer instanceof Response) return bearer;
  if (isRead)
    return Response.json(await statesOf(wiring.pool, Ids.parse(new URL(request.url).searchParams.getAll("id"))));
  const foreign = refuseForeign(request);
  if (foreign) return foreign;
  return Response.json(await tellMany(wiring, bearer, originOf(request.headers), Asked.parse(await readJson(request))));
});

/** Nobody is told before all that were named are found. One that says no does not stop the others.
 *  @throws Refusal where one that was named is not there, or they are none or too many */
async function tellMany(
  parts: Parts,
  by: By,
  origin: Origin,
  { workstations, labels, groups, ...asked }: z.infer<typeof Asked>,
): Promise<Answer[]> {
  const { targets, missing } = await findTargets(parts.pool, { workstations, labels, groups });
  if (missing.length > 0)
    throw new Refusal("NOT_FOUND", `There is no one enrolled workstation for ${missing.join(", ")}.`);
  if (targets.length === 0) throw new Refusal("BAD_REQUEST", "No enrolled workstation is named by that.");
  if (targets.length > AT_ONCE_MAX)
    throw new Refusal(
      "BAD_REQUEST",
      `${targets.length} workstations are named; at most ${AT_ONCE_MAX} are told at once.`,
    );
  return tellEach(
    parts,
    by,
    origin,
    asked,
    targets.map(({ id, name }) => ({ workstation: id, name })),
  );
}
