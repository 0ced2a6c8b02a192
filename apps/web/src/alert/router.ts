/** Alerts: the list, and triage with an author and a note. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Severity } from "@sallyport/shared/record/severity.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { SORTS } from "./sort.ts";
import { alertKinds, getAlert, listAlerts, STATES, triage } from "./store.ts";

const WORDS = { open: "reopened", acknowledged: "acknowledged", closed: "closed" } as const;

export const alertRouter = router({
  list: allowed("content")
    .input(
      z.object({
        state: z.enum(STATES).optional(),
        workstation: WorkstationId.optional(),
        kind: z.string().max(64).optional(),
        severity: Severity.optional(),
        sort: z.enum(SORTS).optional(),
        cursor: z.int().min(1).nullish(),
      }),
    )
    .query(({ ctx, input: { cursor, ...asked } }) =>
      listAlerts(ctx.wiring.pool, { ...asked, after: cursor ?? undefined }),
    ),
  get: allowed("content")
    .input(z.object({ id: z.int().min(1) }))
    .query(({ ctx, input }) => getAlert(ctx.wiring.pool, input.id)),
  kinds: allowed("content").query(({ ctx }) => alertKinds(ctx.wiring.pool)),

  triage: allowed("triage")
    .input(
      z.object({
        id: z.int().min(1),
        state: z.enum(STATES),
        note: z.string().trim().min(3, "a note of at least three characters: what you saw, what you did").max(2000),
      }),
    )
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { before, title } = await triage(tx, { ...input, personId: ctx.actor.id });
        const word = WORDS[input.state];
        const act = {
          kind: `person.alert-${word}`,
          text: `${word} alert ${input.id}: ${title}`.slice(0, 900),
        } as const;
        const change = { before: { state: before }, after: { state: input.state, note: input.note } };
        return { act: { ...act, subject: `alert/${input.id}`, ...change }, value: null };
      }),
    ),
});
