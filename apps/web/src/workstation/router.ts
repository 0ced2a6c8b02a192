/** Workstations: the list, and one. */
import { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { allowed, router } from "../trpc/procedures.ts";
import { getWorkstation, listNames, listWorkstations } from "./store.ts";

const After = z.object({ name: z.string().max(253), id: WorkstationId });

export const workstationRouter = router({
  list: allowed("entries")
    .input(z.object({ search: z.string().max(200).optional(), group: GroupId.optional(), cursor: After.nullish() }))
    .query(({ ctx, input }) =>
      listWorkstations(ctx.wiring.pool, { search: input.search, group: input.group, after: input.cursor ?? undefined }),
    ),
  get: allowed("entries")
    .input(z.object({ id: WorkstationId }))
    .query(({ ctx, input }) => getWorkstation(ctx.wiring.pool, input.id)),
  names: allowed("entries").query(({ ctx }) => listNames(ctx.wiring.pool)),
});
