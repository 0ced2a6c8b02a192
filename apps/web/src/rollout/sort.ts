/** In which orders rollouts are listed; `-` turns one around. Pure. */
export const SORTS = ["begun", "-begun", "group", "-group"] as const;
export type SortWord = (typeof SORTS)[number];
