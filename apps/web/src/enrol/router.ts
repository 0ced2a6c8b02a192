/** Enrolment tokens: made once, shown once, kept as a hash. */
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { LABELS_MAX, Label } from "../workstation/label.ts";
import { caFingerprint, listenerUrl } from "./authority.ts";
import { packagesOf } from "./packages.ts";
import { listTokens, makeToken, Place, revokeToken } from "./store.ts";

const HOURS_MAX = 24 * 30;

export const enrolRouter = router({
  list: allowed("enrol")
    .input(z.object({ cursor: Place.nullish() }))
    .query(({ ctx, input }) => listTokens(ctx.wiring.pool, input.cursor ?? undefined)),

  make: allowed("enrol")
    .input(
      z.object({
        group: GroupId,
        labels: z.array(Label).max(LABELS_MAX),
        note: z.string().trim().max(200).optional(),
        uses: z.int().min(1).max(1000),
        hours: z.int().min(1).max(HOURS_MAX),
      }),
    )
    .mutation(({ ctx, input }) => {
      const { env, pool, recordConsole } = ctx.wiring;
      return withRecord(pool, recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { secret, groupName } = await makeToken(tx, { ...input, note: input.note, madeBy: ctx.actor.id });
        const token = printToken({ url: listenerUrl(env, ctx.host), ca: caFingerprint(env), secret });
        const text = `made an enrolment token for ${groupName}, ${input.uses} use(s) within ${input.hours} h`;
        const after = { labels: input.labels, uses: input.uses, hours: input.hours };
        const value = { token, packages: packagesOf(env.SALLYPORT_STATE) };
        return { act: { kind: "person.token-made", text, subject: `group/${input.group}`, after }, value };
      });
    }),

  revoke: allowed("enrol")
    .input(Place.pick({ id: true }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        await revokeToken(tx, input.id);
        const act = { kind: "person.token-revoked", text: "revoked an enrolment token", subject: input.id } as const;
        return { act, value: null };
      }),
    ),
});
