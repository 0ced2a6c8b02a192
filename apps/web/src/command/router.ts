/** Commands: what one workstation was told, and telling it. */
import { CommandId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { VERB_RULES, Verb } from "@sallyport/shared/command/verb.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { ACTS, may } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { ask, toldAct } from "./ask.ts";
import { AT_ONCE_MAX, ManyVerb, STATES_MAX } from "./many.ts";
import { listCommands, statesOf } from "./store.ts";
import { tellEach } from "./tell.ts";

const MINUTES_MAX = 7 * 24 * 60;

const Given = z.record(z.string().max(64), z.string().max(128));
const Order = {
  arguments: Given,
  /** It is not begun later than this. */
  minutes: z.int().min(1).max(MINUTES_MAX),
  reason: z.string().trim().min(3, "say in a few words why").max(300),
};
const Target = z.object({ workstation: WorkstationId, name: z.string().min(1).max(253), arguments: Given.optional() });
const Targets = z
  .array(Target)
  .min(1)
  .max(AT_ONCE_MAX)
  .refine((all) => new Set(all.map(({ workstation }) => workstation)).size === all.length, "each of them once");

export const commandRouter = router({
  list: allowed("entries")
    .input(z.object({ workstation: WorkstationId, cursor: z.int().min(1).nullish() }))
    .query(({ ctx, input }) => listCommands(ctx.wiring.pool, input.workstation, input.cursor ?? undefined)),

  send: allowed("command")
    .input(z.object({ ...Target.omit({ arguments: true }).shape, verb: Verb, ...Order }))
    .mutation(({ ctx, input }) => {
      const { verb, workstation, name, reason } = input;
      if (VERB_RULES[verb].role === "admin" && !may(ctx.actor.role, "destroy"))
        throw new Refusal("FORBIDDEN", `As ${ctx.actor.role} you may not ${ACTS.destroy}.`);
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const told = await ask(tx, ctx.wiring.consoleKey, { ...input, by: ctx.actor.id, now: new Date() });
        return { act: toldAct({ ...input, workstation, name, reason }, told), value: told };
      });
    }),

  /** What `send` does, at each of them; what destroys is not told to many. */
  tell: allowed("command")
    .input(z.object({ targets: Targets, verb: ManyVerb, ...Order }))
    .mutation(({ ctx, input: { targets, ...order } }) => tellEach(ctx.wiring, ctx.actor, ctx.origin, order, targets)),

  states: allowed("entries")
    .input(z.object({ ids: z.array(CommandId).max(STATES_MAX) }))
    .query(({ ctx, input }) => statesOf(ctx.wiring.pool, input.ids)),
});
