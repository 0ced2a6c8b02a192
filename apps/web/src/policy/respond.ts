/** /api/policy … → groups and a repository's folder, for the command line and pipelines, by an API token: GET /, the
 *  groups; GET /<group>, one with its text; POST /plan, what a folder would change; POST /apply, exactly that. */
import { FILES_MAX, Repository, RepositoryFile } from "@sallyport/shared/policy/repository.ts";
import { z } from "zod";
import { originOf } from "../person/actor.ts";
import { openToken } from "../person/api-token.ts";
import { ACTS, may } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { holdsNul, NUL_REFUSED } from "../trpc/nul.ts";
import { answered } from "../trpc/plain.ts";
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

const refuse = (status: number, error: string): Response => Response.json({ error }, { status });

/** `path` is what follows /api/policy. */
export const respondPolicy = answered(
  async (parts: RepositoryParts, request: Request, path: readonly string[]): Promise<Response> => {
    const [named = "", ...more] = path;
    const isRead = request.method === "GET";
    const isApply = !isRead && named === "apply";
    const header = request.headers.get("authorization");
    const opened = await openToken(parts.pool, header, isApply ? "policy:write" : "policy:read");
    if (!opened.ok) return refuse(opened.status, opened.reason);
    const { bearer } = opened;
    const act = isApply ? "policy" : "entries";
    if (!may(bearer.role, act)) return refuse(403, `As ${bearer.role} you may not ${ACTS[act]}.`);
    if (more.length > 0 || (!isRead && named !== "plan" && !isApply))
      return refuse(404, "There is no such thing here.");
    if (isRead) return Response.json(named === "" ? await listGroups(parts.pool) : await one(parts, named));
    const unread = refuseForeign(request, BODY_BYTES_MAX);
    if (unread) return unread;
    const body = readBody(await request.text());
    if (!isApply) return Response.json(await planFolder(parts.pool, Plan.parse(body)));
    return Response.json(await applyFolder(parts, bearer, originOf(request.headers), Apply.parse(body)));
  },
);

async function one({ pool }: RepositoryParts, named: string) {
  if (holdsNul(named)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  const { group, wanted } = await getGroup(pool, await findGroup(pool, named));
  return { ...group, source: wanted?.source ?? null };
}

function readBody(text: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new Refusal("BAD_REQUEST", `This is no JSON: ${(error as Error).message}`);
  }
  if (holdsNul(body)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  return body;
}
