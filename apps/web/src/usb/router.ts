/** USB: scans, manifests, and where in the fleet a hash was seen. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { EXCEPTION_HOURS_MAX, EXCEPTION_REASON_CHARS_MAX } from "@sallyport/shared/usb/exception.ts";
import { Finding } from "@sallyport/shared/usb/manifest.ts";
import { Verdict } from "@sallyport/shared/usb/scan.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { RecordAt } from "../record/filter.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { exceptedAct, makeException, refuseRequest, requestOf } from "./exception.ts";
import { listRequests } from "./requests.ts";
import { REQUEST_SORTS } from "./requests-sort.ts";
import { RefusalReason, Revoking, revokedAct, revokeException } from "./revoke.ts";
import { SORTS } from "./sort.ts";
import { findHash, getFile, getScan, listFiles, listScans } from "./store.ts";

export const FileHash = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^([0-9a-f]{32}|[0-9a-f]{64})$/, "an md5 has 32 hex digits, a sha256 has 64");

const Position = z.int().min(0).max(2_147_483_647);
const FileKey = z.object({ finding: Finding, position: Position });
const RequestPlace = RecordAt.extend({ key: z.string().max(253), time: z.iso.datetime() });

export const usbRouter = router({
  list: allowed("content")
    .input(
      z.object({
        verdict: Verdict.optional(),
        workstation: WorkstationId.optional(),
        sort: z.enum(SORTS).optional(),
        cursor: RecordAt.nullish(),
      }),
    )
    .query(({ ctx, input }) => listScans(ctx.wiring.pool, { ...input, after: input.cursor ?? undefined })),
  get: allowed("content")
    .input(RecordAt)
    .query(({ ctx, input }) => getScan(ctx.wiring.pool, input.trail, input.index)),
  files: allowed("content")
    .input(RecordAt.extend({ suspect: z.boolean(), cursor: FileKey.nullish() }))
    .query(({ ctx, input }) => listFiles(ctx.wiring.pool, { ...input, after: input.cursor ?? undefined })),
  file: allowed("content")
    .input(RecordAt.extend({ position: Position }))
    .query(({ ctx, input }) => getFile(ctx.wiring.pool, input)),
  request: allowed("content")
    .input(RecordAt)
    .query(({ ctx, input }) => requestOf(ctx.wiring.pool, input.trail, input.index)),
  requests: allowed("content")
    .input(z.object({ sort: z.enum(REQUEST_SORTS).optional(), cursor: RequestPlace.nullish() }))
    .query(({ ctx, input }) =>
      listRequests(ctx.wiring.pool, new Date(), { sort: input.sort, after: input.cursor ?? undefined }),
    ),
  except: allowed("policy")
    .input(
      RecordAt.extend({
        hours: z.int().min(1).max(EXCEPTION_HOURS_MAX),
        reason: z.string().trim().min(3, "say in a few words why it may pass").max(EXCEPTION_REASON_CHARS_MAX),
      }),
    )
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const given = await makeException(tx, ctx.wiring.consoleKey, { ...input, by: ctx.actor.id, now: new Date() });
        return { act: exceptedAct(given), value: given };
      }),
    ),
  revoke: allowed("deny")
    .input(Revoking)
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const revoked = await revokeException(tx, ctx.wiring.consoleKey, { ...input, now: new Date() });
        return { act: revokedAct(revoked), value: revoked };
      }),
    ),
  refuse: allowed("deny")
    .input(RecordAt.extend({ reason: RefusalReason }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => ({
        act: await refuseRequest(tx, input),
        value: null,
      })),
    ),
  find: allowed("content")
    .input(z.object({ hash: FileHash }))
    .query(({ ctx, input }) => findHash(ctx.wiring.pool, input.hash)),
});
