/** A database's error → whether what was to be stored is at fault, or the database. */

/** SQLSTATE classes that speak of the rows themselves: data, constraints, limits. Connections, locks and disk are not. */
export function isRowsFault(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && /^(22|23|54)/.test(code);
}
