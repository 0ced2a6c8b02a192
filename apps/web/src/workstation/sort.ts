/** In which orders workstations are listed; `-` turns one around. Pure. */
export const SORTS = ["name", "-name", "last-record", "-last-record", "spool", "-spool", "skew", "-skew"] as const;
export type SortWord = (typeof SORTS)[number];
