/** Denials: what stands, seen by everybody; added and lifted by responders and above, each act a record. */
import { DenyId } from "@sallyport/shared/policy/overlay.ts";
import { z } from "zod";
import { allowed, router } from "../trpc/procedures.ts";
import { Denying, deny, Lifting, lift } from "./act.ts";
import { SORTS } from "./sort.ts";
import { getDeny, Place, pageOfDenies } from "./store.ts";

export const denyRouter = router({
  list: allowed("entries")
    .input(z.object({ sort: z.enum(SORTS).optional(), cursor: Place.nullish() }))
    .query(({ ctx, input }) =>
      pageOfDenies(ctx.wiring.pool, new Date(), { sort: input.sort, after: input.cursor ?? undefined }),
    ),
  get: allowed("entries")
    .input(z.object({ id: DenyId }))
    .query(({ ctx, input }) => getDeny(ctx.wiring.pool, new Date(), input.id)),
  add: allowed("deny")
    .input(Denying)
    .mutation(({ ctx, input }) => deny(ctx.wiring, ctx.actor, ctx.origin, input)),
  lift: allowed("deny")
    .input(Lifting)
    .mutation(({ ctx, input }) => lift(ctx.wiring, ctx.actor, ctx.origin, input)),
});
