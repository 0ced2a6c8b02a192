/** Commands: what one workstation was told, and telling it. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { VERB_RULES, Verb } from "@sallyport/shared/command/verb.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { ACTS, may } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { ask, toldAct } from "./ask.ts";
import { listCommands } from "./store.ts";

const MINUTES_MAX = 7 * 24 * 60;

export const commandRouter = router({
  list: allowed("entries")
    .input(z.object({ workstation: WorkstationId }))
    .query(({ ctx, input }) => listCommands(ctx.wiring.pool, input.workstation)),

  send: allowed("command")
    .input(
      z.object({
        workstation: WorkstationId,
        name: z.string().min(1).max(253),
        verb: Verb,
        arguments: z.record(z.string().max(64), z.string().max(128)),
        /** It is not begun later than this. */
        minutes: z.int().min(1).max(MINUTES_MAX),
        reason: z.string().trim().min(3, "say in a few words why").max(300),
      }),
    )
    .mutation(({ ctx, input }) => {
      const { verb, workstation, name, reason } = input;
      if (VERB_RULES[verb].role === "admin" && !may(ctx.actor.role, "destroy"))
        throw new Refusal("FORBIDDEN", `As ${ctx.actor.role} you may not ${ACTS.destroy}.`);
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const told = await ask(tx, ctx.wiring.consoleKey, { ...input, by: ctx.actor.id, now: new Date() });
        return { act: toldAct({ ...input, workstation, name, reason }, told), value: told };
      });
    }),
});
