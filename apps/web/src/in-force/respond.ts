/** GET /api/in-force?workstation=…&at=… → what was in force on it then, for the command line and pipelines, by an API token. */
import { z } from "zod";
import { admit } from "../person/api-token.ts";
import { holdsNul, NUL_REFUSED } from "../trpc/nul.ts";
import { answered, refuse } from "../trpc/plain.ts";
import type { Wiring } from "../wiring.ts";
import { findWorkstation, inForceAt } from "./store.ts";
import { notYetWords } from "./words.ts";

const At = z.iso.datetime({ offset: true });

type Parts = Pick<Wiring, "pool"> & { now?: () => number };

export const respondInForce = answered(async (parts: Parts, request: Request): Promise<Response> => {
  const { pool, now = Date.now } = parts;
  const bearer = await admit(pool, request, "policy:read", "entries");
  if (bearer instanceof Response) return bearer;
  const asked = new URL(request.url).searchParams;
  const named = asked.get("workstation");
  if (!named || named.length > 253)
    return refuse(400, "Say which workstation: ?workstation=, its id, name or host name.");
  if (holdsNul(named)) return refuse(400, NUL_REFUSED);
  const at = At.safeParse(asked.get("at") ?? new Date(now()).toISOString());
  if (!at.success) return refuse(400, "?at= is a moment as 2026-11-24T08:00:00Z.");
  const moment = new Date(at.data);
  const notYet = notYetWords(moment, now());
  if (notYet) return refuse(400, notYet);
  const workstation = await findWorkstation(pool, named);
  return Response.json({ workstation, at: moment.toISOString(), found: await inForceAt(pool, workstation.id, moment) });
});
