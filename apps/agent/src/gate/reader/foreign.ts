/** What else a range may be, so that a person is told more than "unknown", and one that is two things is told as both. */
import { CLOSED, fits, HEAD_BYTES, SEVEN } from "./archives/marks.ts";
import { laidBeside } from "./laid-beside.ts";
import type { Source } from "./source.ts";

const SWAP = 4086;
/** Of 7z's types, those that are file systems: on a stick, nothing opens them. */
const FILE_SYSTEMS = new Set(["SquashFS", "CramFS", "APFS", "HFS"]);

/** In words that follow "is", or null. */
export function foreign(source: Source): string | null {
  const head = source.read(0, Math.min(source.size, HEAD_BYTES));
  for (const { type, name, mark } of SEVEN)
    if (FILE_SYSTEMS.has(type) && fits(head, mark))
      return `${/^[AH]/.test(name) ? "an" : "a"} ${name} file system, which the gate does not read`;
  for (const { what, mark } of CLOSED) if (fits(head, mark)) return what;
  return head.toString("latin1", SWAP, SWAP + 10) === "SWAPSPACE2" ? "swap space" : laidBeside(source);
}
