/** What Microsoft's description of the cabinet (MS-CAB) says of its files, where 7z goes by more than that. */
import { Damaged, type Source } from "../source.ts";

const HEADER_BYTES = 36;
const ENTRY_BYTES = 16;
const NAME_BYTES_MAX = 256;
/** No cabinet's: one holds files only. */
const FOLDER = 0x10;

/** Whether a file of it is marked as a folder: 7z leaves out its content, other unpackers do not know the mark.
 *  @throws Damaged where its list of files lies outside it */
export function namesFolder(source: Source): boolean {
  const header = source.read(0, HEADER_BYTES);
  let at = header.readUInt32LE(16);
  for (let left = header.readUInt16LE(28); left > 0; left--) {
    const entry = source.read(at, ENTRY_BYTES);
    if ((entry.readUInt16LE(14) & FOLDER) !== 0) return true;
    const name = source.read(at + ENTRY_BYTES, Math.min(NAME_BYTES_MAX, source.size - at - ENTRY_BYTES));
    const end = name.indexOf(0);
    if (end < 0) throw new Damaged("has a name longer than any in a cabinet");
    at += ENTRY_BYTES + end + 1;
  }
  return false;
}
