/** In which orders what is blocked is listed, what stands always before what has ended; `-` turns one around. Pure. */
export const SORTS = ["ends", "-ends", "what", "-what", "for", "-for"] as const;
export type SortWord = (typeof SORTS)[number];
