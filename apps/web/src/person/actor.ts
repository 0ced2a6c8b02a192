/** Who is asking: the person behind a request, and where from. */
import type { Role } from "./role.ts";

export type Actor = { id: string; email: string; name: string; role: Role; session: string; twoFactor: boolean };

/** What a record of an act names besides the actor. */
export type Origin = { address?: string };
