/** In which orders people are listed; `-` turns one around. Pure: all of them are on one page. */
import { ROLES, type Role } from "./role.ts";

export const SORTS = ["name", "-name", "email", "-email", "role", "-role", "seen", "-seen"] as const;
export type SortWord = (typeof SORTS)[number];

type Sorted = { name: string; email: string; role: Role; seenAt: string | null };

const compared = (one: string, other: string): number => one.localeCompare(other, "en");
const KEYS = {
  name: (one: Sorted, other: Sorted) => compared(one.name, other.name),
  email: (one: Sorted, other: Sorted) => compared(one.email, other.email),
  role: (one: Sorted, other: Sorted) => ROLES.indexOf(one.role) - ROLES.indexOf(other.role),
  /** Who never came first. */
  seen: (one: Sorted, other: Sorted) => (one.seenAt ?? "").localeCompare(other.seenAt ?? ""),
};

/** Those that are equal in it stay as they stood. */
export function inOrder<T extends Sorted>(people: readonly T[], by: SortWord): T[] {
  const key = KEYS[by.replace(/^-/, "") as keyof typeof KEYS];
  const sign = by.startsWith("-") ? -1 : 1;
  return [...people].sort((one, other) => sign * key(one, other));
}
