/** In which orders scans are listed; `-` turns one around. Pure. */
export const SORTS = ["-received", "received", "-not-clean", "not-clean"] as const;
export type SortWord = (typeof SORTS)[number];
