/** /api/policy … → groups and a repository's folder, for the command line and pipelines, by an API token: GET /, the
 *  groups; GET /<group>, one with its text; POST /plan, what a folder would change; POST /apply, exactly that. */

import { FILES_MAX, RepositoryFile } from "@sallyport/shared/policy/repository/files.ts";
import { Repository } from "@sallyport/shared/policy/repository.ts";
import { z } from "zod";
import { originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { holdsNul, NUL_REFUSED } from "../trpc/nul.ts";
import { answered, readJson, refuse } from "../trpc/plain.ts";
import { applyFolder, planFolder, type RepositoryParts } from "./repository.ts";
import { findGroup, getGroup, listGroups } from "./store.ts";

/** A whole folder comes in one body, so that it is applied whole. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

const Plan = z.object({
  repository: Repository.nullable().default(null),
  files: z.array(RepositoryFile).min(1, "there is no file: nothing is retired by an empty folder").max(FILES_MAX),
  again: z.boolean().default(false),
});
const Apply = Plan.extend({
  /** The digest of the plan that was looked at. */
  expect: z.string().regex(/^[0-9a-f]{64}$/, "the digest of a plan is 64 hex digits"),
  message: z.string().trim().min(3, "say in a few words what changes and why").max(500),
});

/** `path` is what follows /api/policy. */
export const respondPolicy = answered(
  async (parts: RepositoryParts, request: Request, path: readonly string[]): Promise<Response> => {
    const [named = "", ...more] = path;
    const isRead = request.method === "GET";
    const isApply = !isRead && named === "apply";
    const bearer = isApply
      ? await admit(parts.pool, request, "policy:write", "policy")
      : await admit(parts.pool, request, "policy:read", "entries");
    if (bearer instanceof Response) return bearer;
    if (more.length > 0 || (!isRead && named !== "plan" && !isApply))
      return refuse(404, "There is no such thing here.");
    if (isRead) return Response.json(named === "" ? await listGroups(parts.pool) : await one(parts, named));
    const unread = refuseForeign(request, BODY_BYTES_MAX);
    if (unread) return unread;
    const body = await readJson(request);
    if (!isApply) return Response.json(await planFolder(parts.pool, Plan.parse(body)));
    return Response.json(await applyFolder(parts, bearer, originOf(request.headers), Apply.parse(body)));
  },
);

async function one({ pool }: RepositoryParts, named: string) {
  if (holdsNul(named)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  const { group, wanted } = await getGroup(pool, await findGroup(pool, named));
  return { ...group, source: wanted?.source ?? null };
}
