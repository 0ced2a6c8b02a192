/** Who is asking: the person behind a request, and where from. */
import type { Role } from "./role.ts";

export type Actor = { id: string; email: string; name: string; role: Role; session: string; twoFactor: boolean };

/** What a record of an act names besides the actor. */
export type Origin = { address?: string };

/** The address that forwarded.ts believed. */
export function originOf(headers: Headers | undefined): Origin {
  const address = headers?.get("x-forwarded-for")?.trim();
  return address ? { address } : {};
}
