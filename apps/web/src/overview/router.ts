/** Overview: counts for the menu, and the store as a whole. */
import { allowed, router } from "../trpc/procedures.ts";
import { readCounts, readStore } from "./store.ts";

export const overviewRouter = router({
  counts: allowed("entries").query(({ ctx }) => readCounts(ctx.wiring.pool)),
  store: allowed("entries").query(({ ctx }) => readStore(ctx.wiring.pool)),
});
