/** In which orders alerts are listed; `-` turns one around. Pure. */
export const SORTS = ["-raised", "raised", "-severity", "severity"] as const;
export type SortWord = (typeof SORTS)[number];
