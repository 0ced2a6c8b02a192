/** The files by which an NTFS volume describes itself: what is ordinary in them, and so nobody's content. */
import type { Source } from "../source.ts";
import { reason } from "../volume.ts";
import type { Attribute } from "./ntfs-record.ts";

/** By record; the later ones have no name, and are nobody's. */
const NAMES = "$MFT $MFTMirr $LogFile $Volume $AttrDef . $Bitmap $Boot $BadClus $Secure $UpCase $Extend".split(" ");
/** What the record 9 was to Windows NT. */
const QUOTA = "$Quota";

/** `name`: in the root's index. */
export const isOwnName = (record: number, name: string): boolean =>
  NAMES[record] === name || (record === NAMES.indexOf("$Secure") && name === QUOTA);

/** Named streams, each on the one record where Windows has it. */
const STREAMS = new Map([
  ["$SRAT", 6],
  ["$Bad", 8],
  ["$SDS", 9],
  ["$Info", 10],
]);
/** The table, its copy, log, bitmap and boot sector: their content is what the volume is made of. */
const MADE_OF = new Set([0, 1, 2, 6, 7]);
const DEFINITIONS = 4;
const UPPER_CASE = 10;
const DEFINITION_BYTES = 160;
/** Windows NT's has 36,000. */
const DEFINITIONS_BYTES_MAX = 65_536;
const UPPER_CASE_BYTES = 2 * 65_536;

/** `parts`: the stream's. All but those named here are empty. */
export function isOrdinary(record: number, name: string, parts: Attribute[], content: () => Source): boolean {
  if (name !== "") return STREAMS.get(name) === record;
  if (MADE_OF.has(record) || (parts.length === 1 && parts[0]!.size === 0)) return true;
  try {
    if (record === DEFINITIONS) return isDefinitions(content());
    if (record === UPPER_CASE) return isUpperCase(content());
  } catch (error) {
    reason(error);
  }
  return false;
}

/** Names of attributes in capitals, each with a few numbers. */
function isDefinitions(source: Source): boolean {
  if (source.size > DEFINITIONS_BYTES_MAX || source.size % DEFINITION_BYTES !== 0) return false;
  const bytes = source.read(0, source.size);
  for (let at = 0; at < bytes.length; at += DEFINITION_BYTES) {
    if (!/^(\$[A-Z_]+)?\0*$/.test(bytes.toString("utf16le", at, at + 128))) return false;
    // its type, by which rule it is shown, and how it is sorted
    if (bytes.readUInt32LE(at + 128) > 0x1000 || bytes.readUInt32LE(at + 132) > 0xff) return false;
    if (bytes.readUInt32LE(at + 136) > 0xff || bytes.readUInt32LE(at + 140) > 0xff) return false;
  }
  return true;
}

/** Each letter's capital, of all that UTF-16 has. Versions of Unicode differ in single letters. */
function isUpperCase(source: Source): boolean {
  if (source.size !== UPPER_CASE_BYTES) return false;
  const bytes = source.read(0, source.size);
  let strange = -2;
  for (let code = 0; code < 65_536; code++) {
    const capital = bytes.readUInt16LE(code * 2);
    if (capital === code) continue;
    const [letter, other] = [String.fromCharCode(code), String.fromCharCode(capital)];
    if (letter.toUpperCase() === other || other.toLowerCase() === letter) continue;
    if (strange === code - 1) return false;
    strange = code;
  }
  return true;
}
