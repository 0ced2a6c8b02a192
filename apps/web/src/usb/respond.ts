/** /api/exception → exceptions that stand, and taking one back, by an API token: the same act and record as a page's. */

import { withRecord } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, pageOf, readJson, readPlace } from "../trpc/plain.ts";
import type { Wiring } from "../wiring.ts";
import { listExceptions, Place, Revoking, revokedAct, revokeException } from "./revoke.ts";

type Parts = Pick<Wiring, "pool" | "recordConsole" | "consoleKey">;

export const respondException = answered(async (wiring: Parts, request: Request): Promise<Response> => {
  const isRead = request.method === "GET";
  const bearer = isRead
    ? await admit(wiring.pool, request, "exception:read", "content")
    : await admit(wiring.pool, request, "exception:write", "deny");
  if (bearer instanceof Response) return bearer;
  if (isRead) return pageOf(request, await listExceptions(wiring.pool, new Date(), readPlace(request, Place)));
  const foreign = refuseForeign(request);
  if (foreign) return foreign;
  const asked = Revoking.parse(await readJson(request));
  const revoked = await withRecord(wiring.pool, wiring.recordConsole, bearer, originOf(request.headers), async (tx) => {
    const value = await revokeException(tx, wiring.consoleKey, { ...asked, now: new Date() });
    return { act: revokedAct(value), value };
  });
  return Response.json(revoked);
});
