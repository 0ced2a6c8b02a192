/** /api/exception → exceptions that stand, and taking one back, by an API token: the same act and record as a page's. */

import { withRecord } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { openToken } from "../person/api-token.ts";
import { ACTS, may } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { holdsNul, NUL_REFUSED } from "../trpc/nul.ts";
import { answered } from "../trpc/plain.ts";
import type { Wiring } from "../wiring.ts";
import { listExceptions, Revoking, revokedAct, revokeException } from "./revoke.ts";

const refuse = (status: number, error: string): Response => Response.json({ error }, { status });

type Parts = Pick<Wiring, "pool" | "recordConsole" | "consoleKey">;

export const respondException = answered(async (wiring: Parts, request: Request): Promise<Response> => {
  const isRead = request.method === "GET";
  const opened = await openToken(
    wiring.pool,
    request.headers.get("authorization"),
    isRead ? "exception:read" : "exception:write",
  );
  if (!opened.ok) return refuse(opened.status, opened.reason);
  const { bearer } = opened;
  const act = isRead ? "content" : "deny";
  if (!may(bearer.role, act)) return refuse(403, `As ${bearer.role} you may not ${ACTS[act]}.`);
  if (isRead) return Response.json(await listExceptions(wiring.pool, new Date()));
  const foreign = refuseForeign(request);
  if (foreign) return foreign;
  const body: unknown = JSON.parse(await request.text());
  if (holdsNul(body)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  const asked = Revoking.parse(body);
  const revoked = await withRecord(wiring.pool, wiring.recordConsole, bearer, originOf(request.headers), async (tx) => {
    const value = await revokeException(tx, wiring.consoleKey, { ...asked, now: new Date() });
    return { act: revokedAct(value), value };
  });
  return Response.json(revoked);
});
