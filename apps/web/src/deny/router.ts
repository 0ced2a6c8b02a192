/** Denials: what stands, seen by everybody; added and lifted by responders and above, each act a record. */
import { allowed, router } from "../trpc/procedures.ts";
import { Denying, deny, Lifting, lift } from "./act.ts";
import { listDenies } from "./store.ts";

export const denyRouter = router({
  list: allowed("entries").query(({ ctx }) => listDenies(ctx.wiring.pool, new Date())),
  add: allowed("deny")
    .input(Denying)
    .mutation(({ ctx, input }) => deny(ctx.wiring, ctx.actor, ctx.origin, input)),
  lift: allowed("deny")
    .input(Lifting)
    .mutation(({ ctx, input }) => lift(ctx.wiring, ctx.actor, ctx.origin, input)),
});
