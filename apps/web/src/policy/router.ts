/** Policy: groups, what they should have in force, and publishing. */
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { Name } from "@sallyport/shared/base/name.ts";
import { POLICY_CHARS_MAX, readPolicy } from "@sallyport/shared/policy/document.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { getGroup, getSource, listGroups, makeGroup, publish } from "./store.ts";

const GroupName = Name(64).pipe(
  z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u, "a name of letters, digits, spaces and . _ -, at most 64"),
);

export const policyRouter = router({
  groups: allowed("entries").query(({ ctx }) => listGroups(ctx.wiring.pool)),

  group: allowed("entries")
    .input(z.object({ id: GroupId }))
    .query(({ ctx, input }) => getGroup(ctx.wiring.pool, input.id)),

  source: allowed("entries")
    .input(z.object({ id: GroupId, order: z.int().min(1).max(2_147_483_647) }))
    .query(({ ctx, input }) => getSource(ctx.wiring.pool, input.id, input.order)),

  makeGroup: allowed("policy")
    .input(z.object({ name: GroupName }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const id = await makeGroup(tx, input.name, ctx.wiring.consoleKey);
        const act = { kind: "person.group-made", text: `made the group ${input.name}`, subject: id } as const;
        return { act: { ...act, after: { name: input.name } }, value: { id } };
      }),
    ),

  publish: allowed("policy")
    .input(
      z.object({
        group: GroupId,
        source: z.string().max(POLICY_CHARS_MAX),
        message: z.string().trim().min(3, "say in a few words what changes and why").max(500),
        basedOn: z.int().min(0),
      }),
    )
    .mutation(({ ctx, input }) => {
      const read = readPolicy(input.source);
      if (!read.ok) {
        const faults = read.faults.map(({ path, line, message }) => `line ${line}${path && `, ${path}`}: ${message}`);
        throw new Refusal("BAD_REQUEST", `This is no policy.\n${faults.join("\n")}`);
      }
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const done = await publish(tx, ctx.wiring.consoleKey, {
          ...input,
          policy: read.policy,
          author: ctx.actor.id,
          now: new Date(),
        });
        const text = `published revision ${done.order} of ${done.name}: ${input.message}`.slice(0, 900);
        const change = {
          before: { digest: done.before },
          after: { digest: done.digest, order: done.order, message: input.message },
        };
        return {
          act: { kind: "person.policy-published", text, subject: `group/${input.group}`, ...change },
          value: { order: done.order, digest: done.digest as string },
        };
      });
    }),
});
