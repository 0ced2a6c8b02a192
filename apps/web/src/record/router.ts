/** Records: pages of them, and one in full. */
import { z } from "zod";
import { may } from "../person/role.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { Cursor, Filter, RecordAt } from "./filter.ts";
import { getRecord, listChoices, listRecords, PAGE_ROWS_MAX } from "./store.ts";
import { tellStory } from "./story.ts";

export const recordRouter = router({
  list: allowed("entries")
    .input(
      z.object({
        filter: Filter,
        cursor: Cursor.nullish(),
        limit: z.int().min(1).max(PAGE_ROWS_MAX).default(PAGE_ROWS_MAX),
      }),
    )
    .query(({ ctx, input }) => {
      const contents = may(ctx.actor.role, "content");
      // without contents the text cannot be searched either: hits would tell what it says
      const filter = contents ? input.filter : { ...input.filter, text: undefined };
      return listRecords(ctx.wiring.pool, filter as Filter, input.cursor ?? undefined, input.limit, contents);
    }),

  get: allowed("entries")
    .input(RecordAt)
    .query(({ ctx, input }) => getRecord(ctx.wiring.pool, input.trail, input.index, may(ctx.actor.role, "content"))),

  story: allowed("entries")
    .input(RecordAt)
    .query(({ ctx, input }) => tellStory(ctx.wiring.pool, input.trail, input.index, may(ctx.actor.role, "content"))),

  choices: allowed("entries").query(({ ctx }) => listChoices(ctx.wiring.pool)),
});
