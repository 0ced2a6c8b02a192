/** clamd's folder of definitions → what in it may keep clamd from looking into files, and is not ClamAV's own. That comes in
 *  signed sets (`.cvd`, `.cld`), which clamd checks as it loads them. */
import { readdir } from "node:fs/promises";

/** Types by first bytes, in place of libclamav's own table; parts of the scanner switched off; an unsigned set, which may hold
 *  either (libclamav goes by a name's end, in any case). */
const MISLEADING = /\.(?:ftm|cfg|cud)$/i;
const NAMES_MAX = 3;
/** Nothing there that clamd could have loaded, or it sees another system of files than the agent. */
const ABSENT = new Set(["ENOENT", "ENOTDIR"]);

/** Why its OK may say less than it should, in words for people. */
export async function misleadingIn(folder: string): Promise<string | null> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => MISLEADING.test(name)).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return ABSENT.has(code ?? "") ? null : `clamd's definitions cannot be looked at: ${message}`;
  }
  if (names.length === 0) return null;
  const named = [...names.slice(0, NAMES_MAX), ...(names.length > NAMES_MAX ? ["others"] : [])].join(", ");
  return `among clamd's definitions is ${named}, by which it may call clean what it has not looked into; take that out of ${folder} and start clamd again`;
}
