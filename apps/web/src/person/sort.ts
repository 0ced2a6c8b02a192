/** In which orders people are listed; `-` turns one around. Pure. */
export const SORTS = ["name", "-name", "email", "-email", "role", "-role", "seen", "-seen"] as const;
export type SortWord = (typeof SORTS)[number];
