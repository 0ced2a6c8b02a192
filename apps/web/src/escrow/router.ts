/** Recovery keys of volumes, as ciphertext: who has which, and handing one out, which is on the console's trail. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { listEscrow, takeEscrow } from "./store.ts";

export const escrowRouter = router({
  list: allowed("entries")
    .input(z.object({ workstation: WorkstationId }))
    .query(({ ctx, input }) => listEscrow(ctx.wiring.pool, input.workstation)),

  /** `file` opens with the organisation's key by `sallyport disk unseal`, outside the console. */
  take: allowed("escrow")
    .input(z.object({ trail: z.int().min(1).max(2_147_483_647), index: z.int().min(0) }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { workstation, name, volume, slot, to, sealed } = await takeEscrow(tx, input.trail, input.index);
        const act = {
          kind: "person.escrow-taken",
          severity: "warning",
          text: `took the sealed recovery key of ${name} (volume ${volume}, slot ${slot}), which key ${to} opens`,
          subject: `workstation/${workstation}`,
          after: { volume, slot, to, record: input },
        } as const;
        return { act, value: { name: `recovery-${volume}-${slot}.json`, file: `{"sealed":${sealed}}\n` } };
      }),
    ),
});
