/** Trails: the parts of a proof, for the browser to put together. */
import { RecordAt } from "../record/filter.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { proveRecord } from "./store.ts";

export const trailRouter = router({
  proof: allowed("entries")
    .input(RecordAt)
    .query(({ ctx, input }) => proveRecord(ctx.wiring.pool, input.trail, input.index)),
});
