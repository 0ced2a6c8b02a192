/** Approvals: what waits for signatures, taking it back, and who signs for a group. Signatures themselves come by the
 *  command line: no page has an approver's key. */
import { ProposalId } from "@sallyport/shared/approval/proposal.ts";
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { describeProposal, proposedPolicy } from "./described.ts";
import { Choice, changeSigners } from "./signers.ts";
import { countWaiting, getProposal, getRow, getSigners, listOver, listWaiting, Place } from "./store.ts";
import { withdraw } from "./withdraw.ts";

const Reason = z.string().trim().min(3, "say in a few words why").max(500);

export const approvalRouter = router({
  waiting: allowed("entries")
    .input(z.object({ group: GroupId.optional(), cursor: Place.nullish() }))
    .query(({ ctx, input: { group, cursor } }) => listWaiting(ctx.wiring.pool, { group, after: cursor ?? undefined })),
  over: allowed("entries")
    .input(z.object({ cursor: Place.nullish() }))
    .query(({ ctx, input }) => listOver(ctx.wiring.pool, input.cursor ?? undefined)),
  count: allowed("entries").query(({ ctx }) => countWaiting(ctx.wiring.pool)),
  get: allowed("entries")
    .input(z.object({ id: ProposalId }))
    .query(({ ctx, input }) => getRow(ctx.wiring.pool, input.id)),
  /** What it does; while it waits. */
  said: allowed("entries")
    .input(z.object({ id: ProposalId }))
    .query(async ({ ctx, input }) => describeProposal(await getProposal(ctx.wiring.pool, input.id))),
  /** What a replay of it takes; null where it is no policy. */
  policy: allowed("entries")
    .input(z.object({ id: ProposalId }))
    .query(async ({ ctx, input }) => proposedPolicy(await getProposal(ctx.wiring.pool, input.id))),
  signers: allowed("entries")
    .input(z.object({ group: GroupId }))
    .query(({ ctx, input }) => getSigners(ctx.wiring.pool, input.group)),

  withdraw: allowed("policy")
    .input(z.object({ id: ProposalId, reason: Reason }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => ({
        act: await withdraw(tx, { ...input, by: ctx.actor.id, now: new Date() }),
        value: null,
      })),
    ),

  setSigners: allowed("policy")
    .input(z.object({ group: GroupId, choice: Choice, reason: Reason }))
    .mutation(({ ctx, input }) => {
      if (ctx.actor.role !== "owner")
        throw new Refusal("FORBIDDEN", `As ${ctx.actor.role} you may not say who signs for a group: ask an owner.`);
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const asked = { ...input, by: ctx.actor.id, now: new Date() };
        const { act, waiting } = await changeSigners(tx, ctx.wiring.consoleKey, asked);
        return { act, value: { waiting } };
      });
    }),
});
