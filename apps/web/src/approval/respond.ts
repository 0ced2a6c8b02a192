/** /api/approval … → what waits for signatures, and the signatures, for `sallyport sign`, by an API token. The token says who
 *  hands them in; whether they count is decided by the signatures alone. */
import { ProposalId, Signing } from "@sallyport/shared/approval/proposal.ts";
import type { Pool } from "pg";
import { type RecordConsole, withRecord } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { admit } from "../person/api-token.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, pageOf, readJson, readPlace, refuse } from "../trpc/plain.ts";
import { takeSigning } from "./sign.ts";
import { getProposal, listWaiting, Place } from "./store.ts";

export type Parts = { pool: Pool; recordConsole: RecordConsole };

/** A signature for each workstation of a large group. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

/** `path` is what follows /api/approval. */
export const respondApproval = answered(async (parts: Parts, request: Request, path: readonly string[]) => {
  const { pool, recordConsole } = parts;
  const bearer = await admit(pool, request, "approval", "entries");
  if (bearer instanceof Response) return bearer;
  const id = path[0] === undefined ? undefined : ProposalId.safeParse(path[0]).data;
  if (path.length > 1 || (path[0] !== undefined && id === undefined))
    return refuse(404, "There is nothing of this id that waits for signatures.");
  if (request.method === "GET" && id) return Response.json(await getProposal(pool, id));
  if (request.method === "GET") {
    const { rows: waiting, next } = await listWaiting(pool, { after: readPlace(request, Place) });
    return pageOf(request, { rows: { waiting }, next });
  }
  const unread = refuseForeign(request, BODY_BYTES_MAX);
  if (unread) return unread;
  const signing = Signing.parse(await readJson(request));
  if (id !== signing.proposal) return refuse(400, "The signatures are for something else than the address names.");
  const origin = originOf(request.headers);
  const signed = await withRecord(pool, recordConsole, bearer, origin, (tx) =>
    takeSigning(tx, recordConsole, bearer, origin, signing, new Date()),
  );
  return Response.json(signed);
});
