/** Procedures by who may call them. A mutation also needs a request from our own pages. */
import { initTRPC, TRPCError } from "@trpc/server";
import { ACTS, type Act, may } from "../person/role.ts";
import type { Context } from "./context.ts";
import { mapError } from "./errors.ts";
import { holdsNul, NUL_REFUSED } from "./nul.ts";

/** A connection that a proxy closed without a word is noticed by the missing pings. */
const PING_MS = 10_000;
const SILENT_MS = 30_000;

const t = initTRPC.context<Context>().create({
  sse: {
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: SILENT_MS },
  },
  errorFormatter: ({ shape, error }) => {
    const mapped = mapError(error);
    return {
      ...shape,
      message: mapped.message,
      data: { code: mapped.code, httpStatus: shape.data.httpStatus, path: shape.data.path },
    };
  },
});

export const router = t.router;

/** Maps before tRPC chooses the HTTP status. */
const mapped = t.middleware(async ({ next }) => {
  const answer = await next();
  if (!answer.ok) throw mapError(answer.error);
  return answer;
});

const storable = t.middleware(async ({ getRawInput, next }) => {
  if (holdsNul(await getRawInput())) throw new TRPCError({ code: "BAD_REQUEST", message: NUL_REFUSED });
  return next();
});

export const open = t.procedure.use(mapped).use(storable);

export const signedIn = open.use(({ ctx, next }) => {
  if (!ctx.actor) throw new TRPCError({ code: "UNAUTHORIZED", message: "You are signed out. Sign in and try again." });
  return next({ ctx: { ...ctx, actor: ctx.actor } });
});

/** For those whose role allows the act; others are told which act their role does not allow. */
export const allowed = (act: Act) =>
  signedIn.use(({ ctx, next }) => {
    if (!may(ctx.actor.role, act))
      throw new TRPCError({ code: "FORBIDDEN", message: `As ${ctx.actor.role} you may not ${ACTS[act]}.` });
    return next();
  });
