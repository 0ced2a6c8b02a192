/** Workstations: the list, one, and what an admin does to it. */
import { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { describe, move, movedAct, revoke } from "./change.ts";
import { countFleet, countInForce, listNeedy } from "./fleet.ts";
import { LABELS_MAX, Label, WorkstationName } from "./label.ts";
import { SORTS } from "./sort.ts";
import { ISOLATIONS, POLICIES, STATUSES } from "./status.ts";
import { findNames, getWorkstation, listWorkstations, NAMED_MAX, namesOf } from "./store.ts";

/** A workstation has two while one is renewed; more are a fault that its record need not repeat. */
const CERTIFICATES_NAMED_MAX = 64;

/** `name` is what the person saw while deciding. */
const Seen = z.object({ id: WorkstationId, name: z.string().min(1).max(253) });

const After = z.object({ at: z.string().max(253), id: WorkstationId });

export const workstationRouter = router({
  list: allowed("entries")
    .input(
      z.object({
        search: z.string().max(200).optional(),
        group: GroupId.optional(),
        status: z.enum(STATUSES).optional(),
        isolation: z.enum(ISOLATIONS).optional(),
        policy: z.enum(POLICIES).optional(),
        sort: z.enum(SORTS).optional(),
        cursor: After.nullish(),
      }),
    )
    .query(({ ctx, input: { cursor, ...asked } }) =>
      listWorkstations(ctx.wiring.pool, new Date(), { ...asked, after: cursor ?? undefined }),
    ),
  get: allowed("entries")
    .input(z.object({ id: WorkstationId }))
    .query(({ ctx, input }) => getWorkstation(ctx.wiring.pool, input.id)),
  fleet: allowed("entries").query(async ({ ctx }) => {
    const now = new Date();
    const [counts, needy] = await Promise.all([countFleet(ctx.wiring.pool, now), listNeedy(ctx.wiring.pool, now)]);
    return { ...counts, ...needy };
  }),
  inForce: allowed("entries").query(({ ctx }) => countInForce(ctx.wiring.pool)),
  names: allowed("entries")
    .input(z.object({ typed: z.string().max(64) }))
    .query(({ ctx, input }) => findNames(ctx.wiring.pool, input.typed.trim())),
  named: allowed("entries")
    .input(z.object({ ids: z.array(WorkstationId).max(NAMED_MAX) }))
    .query(({ ctx, input }) => namesOf(ctx.wiring.pool, input.ids)),

  revoke: allowed("workstations")
    .input(Seen.extend({ reason: z.string().trim().min(3, "say in a few words why").max(300) }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { before, certificates } = await revoke(tx, input);
        const act = {
          kind: "person.workstation-revoked",
          severity: "warning",
          text: `revoked ${input.name}: ${input.reason}`,
          subject: `workstation/${input.id}`,
          before: { state: before },
          after: {
            state: "revoked",
            reason: input.reason,
            certificates: certificates.slice(0, CERTIFICATES_NAMED_MAX),
          },
        } as const;
        return { act, value: { certificates: certificates.length } };
      }),
    ),

  move: allowed("workstations")
    .input(Seen.extend({ group: GroupId }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const moved = await move(tx, ctx.wiring.consoleKey, { ...input, by: ctx.actor.id, now: new Date() });
        const { order, waiting } = moved;
        return { act: movedAct(input, moved), value: { order, ...(waiting && { waiting }) } };
      }),
    ),

  describe: allowed("workstations")
    .input(Seen.extend({ to: z.object({ name: WorkstationName, labels: z.array(Label).max(LABELS_MAX) }) }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const before = await describe(tx, input);
        const named = before.name === input.to.name ? before.name : `${before.name} to ${input.to.name}`;
        const act = {
          kind: "person.workstation-described",
          text: `described ${named}, labels ${input.to.labels.join(" ") || "none"}`,
          subject: `workstation/${input.id}`,
          before,
          after: input.to,
        } as const;
        return { act, value: null };
      }),
    ),
});
