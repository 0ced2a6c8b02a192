/** In which orders refused messages are listed; `-` turns one around. Pure. */
export const SORTS = ["-received", "received", "-size", "size"] as const;
export type SortWord = (typeof SORTS)[number];
