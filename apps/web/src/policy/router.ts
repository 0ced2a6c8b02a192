/** Policy: groups, what they should have in force, and publishing. */
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { POLICY_CHARS_MAX, readPolicy } from "@sallyport/shared/policy/document.ts";
import { GroupName } from "@sallyport/shared/policy/group-name.ts";
import { Repository } from "@sallyport/shared/policy/repository.ts";
import { z } from "zod";
import { withRecord } from "../person/act.ts";
import { Refusal } from "../trpc/errors.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { markRepository } from "./managed.ts";
import { publish, publishedAct } from "./publish.ts";
import { getGroup, getSource, listGroups, listPublications, makeGroup } from "./store.ts";

const Reason = z.string().trim().min(3, "say in a few words why").max(500);

export const policyRouter = router({
  groups: allowed("entries").query(({ ctx }) => listGroups(ctx.wiring.pool)),

  group: allowed("entries")
    .input(z.object({ id: GroupId }))
    .query(({ ctx, input }) => getGroup(ctx.wiring.pool, input.id)),

  publications: allowed("entries")
    .input(z.object({ id: GroupId, cursor: z.int().min(1).max(2_147_483_647).nullish() }))
    .query(({ ctx, input }) => listPublications(ctx.wiring.pool, input.id, input.cursor ?? undefined)),

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
        const publishing = { ...input, policy: read.policy, author: ctx.actor.id, now: new Date() };
        const done = await publish(tx, ctx.wiring.consoleKey, publishing);
        const { order, digest, waiting = null } = done;
        return { act: publishedAct(publishing, done), value: { order, digest: digest as string, waiting } };
      });
    }),

  /** A repository becomes the source of the group's policy, or this console again. */
  setRepository: allowed("policy")
    .input(z.object({ group: GroupId, repository: Repository.nullable(), reason: Reason }))
    .mutation(({ ctx, input }) => {
      if (ctx.actor.role !== "owner")
        throw new Refusal(
          "FORBIDDEN",
          `As ${ctx.actor.role} you may not say where a group's policy comes from: ask an owner.`,
        );
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => ({
        act: await markRepository(tx, input.group, input.repository, input.reason),
        value: { repository: input.repository },
      }));
    }),
});
