/** Records: pages of them, and one in full. */
import { TRPCError, tracked } from "@trpc/server";
import { z } from "zod";
import { may, type Role } from "../person/role.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { Cursor, Filter, Moment, RecordAt } from "./filter.ts";
import { countOverTime } from "./histogram.ts";
import { getRecord, listChoices, listRecords, PAGE_ROWS_MAX } from "./store.ts";
import { tellStory } from "./story.ts";
import { tailRecords } from "./tail.ts";

/** Live tails of one process, over everybody: each costs a query a quarter of a second at worst. */
const TAILS_MAX = 200;

/** Without contents the text cannot be searched either: hits, and how many, would tell what it says. */
function searchable({ text, ...rest }: Filter, role: Role): Filter {
  return text && may(role, "content") ? { ...rest, text } : rest;
}

export const recordRouter = router({
  list: allowed("entries")
    .input(
      z.object({
        filter: Filter,
        cursor: Cursor.nullish(),
        limit: z.int().min(1).max(PAGE_ROWS_MAX).default(PAGE_ROWS_MAX),
      }),
    )
    .query(({ ctx, input, signal }) => {
      const { role } = ctx.actor;
      const filter = searchable(input.filter, role);
      return listRecords(ctx.wiring.pool, filter, input.cursor ?? undefined, input.limit, may(role, "content"), {
        signal,
      });
    }),

  histogram: allowed("entries")
    .input(z.object({ filter: Filter }))
    .query(async ({ ctx, input, signal }) => {
      const free = ctx.wiring.countSlots.take();
      if (!free)
        throw new TRPCError({
          code: "TOO_MANY_REQUESTS",
          message: "Too many searches are counted at once. Try again.",
        });
      try {
        return await countOverTime(ctx.wiring.pool, searchable(input.filter, ctx.actor.role), new Date(), { signal });
      } finally {
        free();
      }
    }),

  tail: allowed("entries")
    .input(z.object({ filter: Filter, lastEventId: Moment.nullish().catch(undefined) }))
    .subscription(async function* ({ ctx, input, signal }) {
      const { pool, heard } = ctx.wiring;
      if (heard.watchers >= TAILS_MAX)
        throw new TRPCError({
          code: "TOO_MANY_REQUESTS",
          message: "Too many people watch live at once. Read pages instead, or try again in a while.",
        });
      const contents = async (): Promise<boolean> => {
        const actor = await ctx.still();
        if (!actor)
          throw new TRPCError({ code: "UNAUTHORIZED", message: "You are signed out. Sign in and try again." });
        if (!may(actor.role, "entries")) throw new TRPCError({ code: "FORBIDDEN", message: "Your role changed." });
        return may(actor.role, "content");
      };
      const ended = signal ?? new AbortController().signal;
      let newest = input.lastEventId ?? new Date().toISOString();
      const after = input.lastEventId ?? undefined;
      for await (const frame of tailRecords({ pool, heard, filter: input.filter, after, signal: ended, contents })) {
        const first = frame.rows[0]?.received;
        if (first !== undefined && first > newest) newest = first;
        yield tracked(newest, frame);
      }
    }),

  get: allowed("entries")
    .input(RecordAt)
    .query(({ ctx, input }) => getRecord(ctx.wiring.pool, input.trail, input.index, may(ctx.actor.role, "content"))),

  story: allowed("entries")
    .input(RecordAt)
    .query(({ ctx, input }) => tellStory(ctx.wiring.pool, input.trail, input.index, may(ctx.actor.role, "content"))),

  choices: allowed("entries").query(({ ctx }) => listChoices(ctx.wiring.pool)),
});
