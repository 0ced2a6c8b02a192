/** Rollouts: seen by everybody, begun and moved by those who may publish policy; each act is a record. */
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { POLICY_CHARS_MAX, readPolicy } from "@sallyport/shared/policy/document.ts";
import { COMMANDS } from "@sallyport/shared/rollout/command.ts";
import { z } from "zod";
import { allowed, router } from "../trpc/procedures.ts";
import { actOn, Beginning, begin, Reason, RolloutId } from "./act.ts";
import { listRollouts, Place } from "./listed.ts";
import { SORTS } from "./sort.ts";
import { getRollout, listEvents, preview } from "./store.ts";

const REPORT_SECONDS_DEFAULT = 60;
/** As Postgres counts them; it refuses what lies beyond. */
const EventId = z.string().regex(/^\d{1,18}$/);

export const rolloutRouter = router({
  list: allowed("entries")
    .input(z.object({ group: GroupId.optional(), sort: z.enum(SORTS).optional(), cursor: Place.nullish() }))
    .query(({ ctx, input: { cursor, ...asked } }) =>
      listRollouts(ctx.wiring.pool, { ...asked, after: cursor ?? undefined }),
    ),

  get: allowed("entries")
    .input(z.object({ id: RolloutId }))
    .query(({ ctx, input }) => getRollout(ctx.wiring.pool, input.id)),

  events: allowed("entries")
    .input(z.object({ id: RolloutId, cursor: EventId.nullish() }))
    .query(({ ctx, input }) => listEvents(ctx.wiring.pool, input.id, input.cursor ?? undefined)),

  preview: allowed("policy")
    .input(z.object({ id: RolloutId, group: GroupId, plan: z.unknown(), source: z.string().max(POLICY_CHARS_MAX) }))
    .query(({ ctx, input }) => {
      const read = readPolicy(input.source);
      const reportSeconds = read.ok ? read.policy.agent.reportSeconds : REPORT_SECONDS_DEFAULT;
      return preview(ctx.wiring.pool, { ...input, reportSeconds });
    }),

  start: allowed("policy")
    .input(Beginning.omit({ repository: true })) // a page is no pipeline
    .mutation(({ ctx, input }) => begin(ctx.wiring, ctx.actor, ctx.origin, input)),

  command: allowed("policy")
    .input(z.object({ id: RolloutId, command: z.enum(COMMANDS), reason: Reason, version: z.int() }))
    .mutation(({ ctx, input }) => actOn(ctx.wiring, ctx.actor, ctx.origin, input)),
});
