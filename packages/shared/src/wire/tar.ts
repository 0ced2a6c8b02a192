/** Just enough of POSIX ustar (IEEE 1003.1, pax: ustar interchange format) for a pack: plain files, short names. */
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { fail, ok, type Result } from "../base/result.ts";

export const TAR_BLOCK = 512;
const NAME_BYTES_MAX = 100;
/** What a longer name would begin with; ours have none. */
const PREFIX_AT = 345;
/** Eleven octal digits. */
export const TAR_FILE_BYTES_MAX = 8 ** 11 - 1;

/** Bytes that a file of that size takes in a pack, without its header. */
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

/** A number as any tar writes it: octal digits, spaces before or after. */
function readOctal(text: string): number | undefined {
  const digits = /^ *([0-7]{1,12}) *$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
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
    if (readOctal(text(148, 8)) !== sumOf(untrusted)) return fail("a header of the pack was changed");
    if (untrusted[156] !== 0x30 && untrusted[156] !== 0) return fail("the pack holds something else than plain files");
    const name = text(0, NAME_BYTES_MAX);
    const isPlain =
      /^(?:[\w.-]+\/)*[\w.-]+$/.test(name) && !name.split("/").some((part) => part === "." || part === "..");
    if (!isPlain || untrusted[PREFIX_AT] !== 0) return fail("the pack holds a strange name");
    const size = readOctal(text(124, 12));
    return size === undefined ? fail(`${name} has no size`) : ok({ name, size });
  } catch {
    return fail("a header of the pack is no text");
  }
}

/** Over the header with spaces where the sum itself stands. */
const sumOf = (block: Uint8Array): number => {
  const blank = Uint8Array.from(block); // a Buffer's slice would be the same bytes
  blank.fill(0x20, 148, 156);
  return blank.reduce((sum, byte) => sum + byte, 0);
};
