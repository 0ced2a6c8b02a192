/** Destinations of alerts: an admin's, each act a record. What is secret goes in and never comes out again, but for the
 *  secret that this console made, once. */
import { z } from "zod";
import { type Act, withRecord } from "../person/act.ts";
import type { Context } from "../trpc/context.ts";
import { allowed, router } from "../trpc/procedures.ts";
import { Given, shown, Wanted } from "./destination.ts";
import { targetOf } from "./seal.ts";
import {
  addDestination,
  askTest,
  listDestinations,
  removeDestination,
  type Standing,
  standing,
  storeEnabled,
  storeTarget,
  storeWanted,
} from "./store.ts";

const Id = z.object({ id: z.uuid() });
const admin = allowed("destinations");
type Ctx = Context & { actor: NonNullable<Context["actor"]> };
type Tx = Parameters<Parameters<typeof withRecord>[4]>[0];

const act = (id: string, kind: Act["kind"], text: string, more: Pick<Act, "before" | "after"> = {}): Act => ({
  ...{ kind, text, subject: `destination/${id}`, severity: "warning" },
  ...more,
});

/** One change of a destination that is there, and its record. */
const change = <T>(ctx: Ctx, id: string, make: (tx: Tx, before: Standing) => Promise<{ act: Act; value: T }>) =>
  withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) =>
    make(tx, await standing(tx, id)),
  );

const dropped = (alerts: number): string => (alerts === 0 ? "" : `; ${alerts} alerts that waited were dropped`);

export const destinationRouter = router({
  list: admin.query(({ ctx }) => listDestinations(ctx.wiring.pool)),

  /** `secret` is a webhook's, to check signatures with. */
  add: admin.input(Wanted.extend({ given: Given })).mutation(({ ctx, input: { given, ...wanted } }) =>
    withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
      const target = targetOf(given);
      const id = await addDestination(tx, ctx.wiring.seal, { ...wanted, target, by: ctx.actor.email });
      const text = `lets alerts go to ${shown(given)} as the destination "${wanted.name}"`;
      const after = { ...wanted, kind: given.kind, shown: shown(given) };
      const secret = target.kind === "webhook" ? target.secret : null;
      return { act: act(id, "person.destination-added", text, { after }), value: { id, secret } };
    }),
  ),

  change: admin.input(Wanted.extend({ id: z.uuid() })).mutation(({ ctx, input: { id, ...wanted } }) =>
    change(ctx, id, async (tx, before) => {
      await storeWanted(tx, id, wanted);
      const was = { name: before.name, severity: before.severity, kinds: before.kinds };
      const text = `changed which alerts go to the destination "${before.name}"`;
      return { act: act(id, "person.destination-changed", text, { before: was, after: wanted }), value: null };
    }),
  ),

  retarget: admin.input(Id.extend({ given: Given })).mutation(({ ctx, input: { id, given } }) =>
    change(ctx, id, async (tx, before) => {
      const target = targetOf(given);
      await storeTarget(tx, ctx.wiring.seal, id, target);
      const text = `lets the alerts of the destination "${before.name}" go to ${shown(given)}`;
      const more = { before: { shown: before.shown }, after: { shown: shown(given) } };
      const secret = target.kind === "webhook" ? target.secret : null;
      return { act: act(id, "person.destination-moved", text, more), value: { secret } };
    }),
  ),

  enable: admin.input(Id.extend({ enabled: z.boolean() })).mutation(({ ctx, input: { id, enabled } }) =>
    change(ctx, id, async (tx, before) => {
      const alerts = before.enabled === enabled ? 0 : await storeEnabled(tx, id, enabled);
      const text = `switched the destination "${before.name}" ${enabled ? "on" : "off"}${dropped(alerts)}`;
      const more = { before: { enabled: before.enabled }, after: { enabled } };
      return { act: act(id, "person.destination-switched", text, more), value: null };
    }),
  ),

  remove: admin.input(Id).mutation(({ ctx, input: { id } }) =>
    change(ctx, id, async (tx, before) => {
      const alerts = await removeDestination(tx, id);
      const text = `removed the destination "${before.name}" (${before.shown})${dropped(alerts)}`;
      return { act: act(id, "person.destination-removed", text, { before }), value: null };
    }),
  ),

  test: admin.input(Id).mutation(({ ctx, input: { id } }) =>
    change(ctx, id, async (tx, before) => {
      await askTest(tx, id);
      const text = `had a test sent to the destination "${before.name}" (${before.shown})`;
      return { act: act(id, "person.destination-tested", text), value: null };
    }),
  ),
});
