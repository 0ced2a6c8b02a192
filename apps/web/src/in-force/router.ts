/** What was in force on a workstation: at a moment, and one after the other. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { findWorkstation, inForceAt, listApplied } from "./store.ts";
import { notYetWords } from "./words.ts";

const After = z.object({ time: z.iso.datetime(), trail: z.int(), index: z.int().min(0) });

export const inForceRouter = router({
  list: allowed("entries")
    .input(z.object({ workstation: WorkstationId, cursor: After.nullish() }))
    .query(({ ctx, input }) => listApplied(ctx.wiring.pool, input.workstation, input.cursor ?? undefined)),

  at: allowed("entries")
    .input(z.object({ workstation: WorkstationId, at: z.iso.datetime() }))
    .query(async ({ ctx, input }) => {
      const at = new Date(input.at);
      const notYet = notYetWords(at, Date.now());
      if (notYet) throw new Refusal("BAD_REQUEST", notYet);
      return {
        workstation: await findWorkstation(ctx.wiring.pool, input.workstation),
        at: input.at,
        found: await inForceAt(ctx.wiring.pool, input.workstation, at),
      };
    }),
});
