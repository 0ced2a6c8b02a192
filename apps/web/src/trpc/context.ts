/** Request → who asks, and with what. */
import { type Actor, type Origin, originOf } from "../person/actor.ts";
import type { Role } from "../person/role.ts";
import { type Wiring, wiring } from "../wiring.ts";

export type Context = {
  wiring: Wiring;
  actor: Actor | undefined;
  /** Who the session belongs to by now, for what outlasts a request; looking does not prolong it. */
  still: () => Promise<Actor | undefined>;
  origin: Origin;
  host: string;
};

export async function actorOf(
  wiring: Wiring,
  headers: Headers,
  query?: { disableRefresh: boolean },
): Promise<Actor | undefined> {
  const found = await wiring.auth.api.getSession({ headers, ...(query && { query }) });
  if (!found || found.user.disabledAt) return undefined;
  const { user, session } = found;
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    role: user.role as Role,
    session: session.id,
    twoFactor: user.twoFactorEnabled ?? false,
  };
}

export async function makeContext(request: Request): Promise<Context> {
  const made = wiring();
  return {
    wiring: made,
    actor: await actorOf(made, request.headers),
    still: () => actorOf(made, request.headers, { disableRefresh: true }),
    origin: originOf(request.headers),
    host: request.headers.get("host") ?? "localhost",
  };
}
