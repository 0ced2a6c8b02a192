/** /api/deny → denials for the command line and pipelines, by an API token: the same acts and records as a page's. */
import { z } from "zod";
import { originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, pageOf, readJson, readPlace } from "../trpc/plain.ts";
import type { Wiring } from "../wiring.ts";
import { Denying, deny, Lifting, lift } from "./act.ts";
import { findAudience, listDenies, Place } from "./store.ts";

const name = z.string().min(1).max(253);
/** Groups and workstations by id or name. */
const Asked = z.union([
  Denying.omit({ audience: true }).extend({ group: name.optional(), workstation: name.optional() }).strict(),
  z.strictObject({ lift: Lifting.shape.id, reason: Lifting.shape.reason }),
]);

type Parts = Pick<Wiring, "pool" | "recordConsole" | "consoleKey">;

export const respondDeny = answered(async (wiring: Parts, request: Request): Promise<Response> => {
  const isRead = request.method === "GET";
  const bearer = isRead
    ? await admit(wiring.pool, request, "deny:read", "entries")
    : await admit(wiring.pool, request, "deny:write", "deny");
  if (bearer instanceof Response) return bearer;
  if (isRead) return pageOf(request, await listDenies(wiring.pool, new Date(), readPlace(request, Place)));
  const foreign = refuseForeign(request);
  if (foreign) return foreign;
  const asked = Asked.parse(await readJson(request));
  const origin = originOf(request.headers);
  if ("lift" in asked)
    return Response.json(await lift(wiring, bearer, origin, { id: asked.lift, reason: asked.reason }));
  const { group, workstation, ...rest } = asked;
  const audience = await audienceOf(wiring, group, workstation);
  return Response.json(await deny(wiring, bearer, origin, Denying.parse({ ...rest, audience })));
});

async function audienceOf({ pool }: Parts, group: string | undefined, workstation: string | undefined) {
  if (group !== undefined && workstation !== undefined)
    throw new Refusal("BAD_REQUEST", "Name a group or a workstation, not both; neither is the whole fleet.");
  if (group === undefined && workstation === undefined) return { fleet: true };
  const of = group === undefined ? "workstation" : "group";
  const { ids } = await findAudience(pool, of, (group ?? workstation)!);
  if (ids.length !== 1)
    throw new Refusal(
      "NOT_FOUND",
      `There is ${ids.length > 1 ? "more than one" : "no"} ${of} ${group ?? workstation}.`,
    );
  return { [of]: ids[0] };
}
