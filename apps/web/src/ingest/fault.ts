/** A database's error → whether what was to be stored is at fault, or the database. */

/** The check that a partition has while it is being split: what it refuses is put elsewhere a moment later. */
export const ENDS = "record_ends";
const CHECK_VIOLATION = "23514";

/** SQLSTATE classes that speak of the rows themselves: data, constraints, limits. Connections, locks and disk are not, nor
 *  is a partition that ends (or is missing: the same code, with no constraint). */
export function isRowsFault(error: unknown): boolean {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (code === CHECK_VIOLATION && (constraint === ENDS || constraint === undefined)) return false;
  return typeof code === "string" && /^(22|23|54)/.test(code);
}
