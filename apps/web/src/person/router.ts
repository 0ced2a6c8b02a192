/** People: the first owner, invitations, roles. */
import { z } from "zod";
import { Refusal } from "../trpc/errors.ts";
import { allowed, open, router, signedIn } from "../trpc/procedures.ts";
import { type Act, withRecord } from "./act.ts";
import { Invite, InviteCode, Join } from "./invite.ts";
import { listInvites, listPeople } from "./listed.ts";
import { resetSignIn } from "./reset.ts";
import { mayManage, ROLES, type Role } from "./role.ts";
import { SORTS } from "./sort.ts";
import { dropInvite, findInvite, join, lockPerson, makeInvite, setDisabled, setRole } from "./store.ts";

const PersonId = z.string().min(1).max(64);
/** A name as it is sorted has more characters than as it was typed. */
const After = z.object({
  ...{ off: z.boolean(), name: z.string().max(4_096), email: z.string().max(254), role: z.int32(), id: PersonId },
  seen: z.string().max(64),
});

function insistOn(actor: Role, subject: Role): void {
  if (!mayManage(actor, subject))
    throw new Refusal("FORBIDDEN", `As ${actor} you may not manage ${subject === "owner" ? "owners" : "people"}.`);
}

const nowhere = (links: number): string =>
  links === 0
    ? ""
    : `; ${links === 1 ? "a link" : `${links} links`} that they had made ${links === 1 ? "leads" : "lead"} nowhere`;

export const personRouter = router({
  me: signedIn.query(({ ctx }) => ctx.actor),

  invite: open
    .input(InviteCode)
    .query(async ({ ctx, input }) => (await findInvite(ctx.wiring.pool, input.code)) ?? null),

  join: open.input(Join).mutation(async ({ ctx, input }) => {
    const { pool, recordConsole, auth } = ctx.wiring;
    const found = await findInvite(pool, input.code);
    if (!found) throw new Refusal("NOT_FOUND", "This link does not work (any more). Ask for a new one.");
    const hash = await (await auth.$context).password.hash(input.password);
    const by = { id: "invited", email: found.email ?? input.email };
    return withRecord(pool, recordConsole, by, ctx.origin, async (tx) => {
      const { id, role, email, resets } = await join(tx, input, hash);
      const act: Act = resets
        ? { kind: "person.password-set", text: "set a new password by a link", subject: id, after: { password: true } }
        : { kind: "person.joined", text: `joined as ${role}`, subject: id, after: { role } };
      return { act, value: { email } };
    });
  }),

  list: allowed("people")
    .input(z.object({ sort: z.enum(SORTS).optional(), cursor: After.nullish() }))
    .query(({ ctx, input }) => listPeople(ctx.wiring.pool, { sort: input.sort, after: input.cursor ?? undefined })),

  invites: allowed("people")
    .input(z.object({ cursor: z.object({ made: z.iso.datetime(), id: PersonId }).nullish() }))
    .query(({ ctx, input }) => listInvites(ctx.wiring.pool, input.cursor ?? undefined)),

  add: allowed("people")
    .input(Invite)
    .mutation(({ ctx, input }) => {
      insistOn(ctx.actor.role, input.role);
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { code, instead } = await makeInvite(tx, input, ctx.actor.id);
        for (const role of instead) insistOn(ctx.actor.role, role);
        const act = {
          kind: "person.invited",
          text: `invited ${input.email} as ${input.role}`,
          subject: input.email,
        } as const;
        return { act: { ...act, after: { role: input.role, name: input.name } }, value: { code } };
      });
    }),

  uninvite: allowed("people")
    .input(z.object({ id: PersonId }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const { email, role } = await dropInvite(tx, input.id);
        insistOn(ctx.actor.role, role);
        const act = { kind: "person.invitation-withdrawn", text: `withdrew the invitation of ${email}` } as const;
        return { act: { ...act, subject: email }, value: null };
      }),
    ),

  setRole: allowed("people")
    .input(z.object({ id: PersonId, role: z.enum(ROLES) }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const person = await lockPerson(tx, input.id);
        insistOn(ctx.actor.role, person.role);
        insistOn(ctx.actor.role, input.role);
        const links = await setRole(tx, person.id, input.role);
        const text = `made ${person.email} ${input.role} instead of ${person.role}${nowhere(links)}`;
        const change = { before: { role: person.role }, after: { role: input.role } };
        return { act: { kind: "person.role-changed", text, subject: person.id, ...change }, value: null };
      }),
    ),

  resetSignIn: allowed("people")
    .input(z.object({ id: PersonId }))
    .mutation(({ ctx, input }) => {
      if (input.id === ctx.actor.id)
        throw new Refusal("FORBIDDEN", "You cannot reset your own sign-in: change your password on the Account page.");
      return withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const person = await lockPerson(tx, input.id);
        insistOn(ctx.actor.role, person.role);
        const { code, act } = await resetSignIn(tx, person, ctx.actor.id);
        return { act, value: { code } };
      });
    }),

  setDisabled: allowed("people")
    .input(z.object({ id: PersonId, disabled: z.boolean() }))
    .mutation(({ ctx, input }) =>
      withRecord(ctx.wiring.pool, ctx.wiring.recordConsole, ctx.actor, ctx.origin, async (tx) => {
        const person = await lockPerson(tx, input.id);
        insistOn(ctx.actor.role, person.role);
        const links = await setDisabled(tx, person.id, input.disabled);
        const kind = input.disabled ? "person.switched-off" : "person.switched-on";
        const text = `switched ${person.email} ${input.disabled ? "off" : "on"}${nowhere(links)}`;
        return { act: { kind, text, subject: person.id } as const, value: null };
      }),
    ),
});
