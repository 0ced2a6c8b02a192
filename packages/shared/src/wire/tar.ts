/** Just enough of POSIX ustar (IEEE 1003.1, pax: ustar interchange format) for a pack: plain files, short names. */
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { fail, ok, type Result } from "../base/result.ts";

export const TAR_BLOCK = 512;
const NAME_BYTES_MAX = 100;
/** Eleven octal digits. */
export const TAR_FILE_BYTES_MAX = 8 ** 11 - 1;

export const padded = (size: number): number => Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
export const TAR_END = new Uint8Array(2 * TAR_BLOCK);

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;

/** @throws RangeError for a name or size that ustar cannot say */
export function tarHeader(name: string, size: number, modifiedSeconds: number): Uint8Array {
  const bytes = toUtf8(name);
  if (bytes.length > NAME_BYTES_MAX || size > TAR_FILE_BYTES_MAX)
    throw new RangeError(`${name} does not fit into a pack`);
  const block = new Uint8Array(TAR_BLOCK);
  const put = (text: string, at: number) => block.set(toUtf8(text), at);
  block.set(bytes, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(modifiedSeconds, 12), 136);
  put("        0", 148);
  put("ustar\x0000", 257);
  put(`${sumOf(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A header as it stands for a plain file, or the end. Names that leave the pack's folder are refused. */
export function readTarHeader(untrusted: Uint8Array): Result<{ name: string; size: number } | "end"> {
  if (untrusted.length !== TAR_BLOCK) return fail("the pack is torn: half a header");
  if (untrusted.every((byte) => byte === 0)) return ok("end");
  const text = (at: number, length: number) => {
    const part = untrusted.subarray(at, at + length);
    const end = part.indexOf(0);
    return fromUtf8(end < 0 ? part : part.subarray(0, end));
  };
  try {
    if (text(257, 5) !== "ustar") return fail("this is no pack (not a ustar file)");
    const blank = Uint8Array.from(untrusted); // a Buffer's slice would be the same bytes
    blank.fill(0x20, 148, 156);
    if (Number.parseInt(text(148, 8), 8) !== sumOf(blank)) return fail("a header of the pack was changed");
    if (untrusted[156] !== 0x30 && untrusted[156] !== 0) return fail("the pack holds something else than plain files");
    const name = text(0, NAME_BYTES_MAX);
    if (!/^(?:[\w.-]+\/)*[\w.-]+$/.test(name) || name.split("/").includes(".."))
      return fail("the pack holds a strange name");
    const size = Number.parseInt(text(124, 12), 8);
    return Number.isSafeInteger(size) && size >= 0 ? ok({ name, size }) : fail(`${name} has no size`);
  } catch {
    return fail("a header of the pack is no text");
  }
}

const sumOf = (block: Uint8Array): number => {
  const blank = Uint8Array.from(block);
  blank.fill(0x20, 148, 156);
  return blank.reduce((sum, byte) => sum + byte, 0);
};
