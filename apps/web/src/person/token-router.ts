/** A person's own API tokens: made, listed, revoked; each a record on the console's trail. */
import { Name } from "@sallyport/shared/base/name.ts";
import { z } from "zod";
import { Refusal } from "../trpc/errors.ts";
import { router, signedIn } from "../trpc/procedures.ts";
import { withRecord } from "./act.ts";
import { listTokens, makeToken, revokeToken, SCOPES, TOKEN_DAYS_MAX } from "./api-token.ts";

const Making = z.object({
  name: Name(64),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  days: z.int().min(1).max(TOKEN_DAYS_MAX),
});

export const tokenRouter = router({
  list: signedIn.query(({ ctx }) => listTokens(ctx.wiring.pool, ctx.actor.id)),

  make: signedIn.input(Making).mutation(({ ctx, input }) =>
    withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
      const { id, token } = await makeToken(tx, { ...input, person: ctx.actor.id });
      const act = { kind: "person.token-made", text: `made the API token "${input.name}"`, subject: id } as const;
      return { act: { ...act, after: { scopes: input.scopes, days: input.days } }, value: { token } };
    }),
  ),

  revoke: signedIn.input(z.object({ id: z.uuid() })).mutation(({ ctx, input }) =>
    withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
      const name = await revokeToken(tx, ctx.actor.id, input.id);
      if (name === undefined)
        throw new Refusal("NOT_FOUND", "There is no such token of yours, or it is revoked already.");
      const act = { kind: "person.token-revoked", text: `revoked the API token "${name}"`, subject: input.id } as const;
      return { act, value: null };
    }),
  ),
});
