/** Quarantine: what came and was refused. Its bytes are not here: respond.ts hands them to those who may have them. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { allowed, router } from "../trpc/procedures.ts";
import { SORTS } from "./sort.ts";
import { getRefused, listRefused, listSenders } from "./store.ts";

export const Code = z.string().regex(/^[a-z]{1,32}$/, "a code is one small word");

export const quarantineRouter = router({
  list: allowed("content")
    .input(
      z.object({
        workstation: WorkstationId.optional(),
        code: Code.optional(),
        sort: z.enum(SORTS).optional(),
        cursor: z.object({ id: z.int().min(1), size: z.int32().min(0) }).nullish(),
      }),
    )
    .query(({ ctx, input }) => listRefused(ctx.wiring.pool, { ...input, after: input.cursor ?? undefined })),
  get: allowed("content")
    .input(z.object({ id: z.int().min(1) }))
    .query(({ ctx, input }) => getRefused(ctx.wiring.pool, input.id)),
  senders: allowed("content").query(({ ctx }) => listSenders(ctx.wiring.pool)),
});
