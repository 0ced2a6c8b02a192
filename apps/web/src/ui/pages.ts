/** The rows of the pages that came, each once: one that moved in its list while the pages were read is on two of them, where
 *  the keys would not get past it. It stands where it was first, as it was read last. Pure. */
export function rowsOf<T>(
  pages: readonly { rows: readonly T[] }[] | undefined,
  keyOf: (row: T) => string | number,
): T[] {
  return [...new Map(pages?.flatMap(({ rows }) => rows.map((row) => [keyOf(row), row] as const))).values()];
}
