/** Marks of one or two bytes, which any file of random bytes begins with once in so many: what must stand behind them for
 *  anybody to read it as what they say. Without, one file in 20,000 of those without any form (encrypted ones,
 *  raw pictures) would be held. */
import type { Source } from "../source.ts";

/** gunzip, ncompress and 7-Zip know words of 16 bits at most. */
const LZW_BITS_MAX = 16;
/** So many are looked at: of random ones not one in millions lasts. What is told before the first that cannot be is no file. */
const LZW_CODES = 24;
const LZW_BLOCK = 0x80;
const CLEAR = 256;

/** compress: each code, of nine bits at first, is a letter or what was said before. */
export function isLzw(head: Buffer): boolean {
  const flags = head[2];
  if (flags === undefined) return true;
  if ((flags & 0x1f) > LZW_BITS_MAX) return false;
  const inBlocks = (flags & LZW_BLOCK) !== 0;
  const letters = inBlocks ? CLEAR : CLEAR - 1;
  let known = letters;
  let bit = 0;
  for (let count = 0; count < LZW_CODES; count++) {
    const at = 3 + (bit >> 3);
    if (at + 2 > head.length) return true;
    const code = (head.readUInt16LE(at) >> (bit & 7)) & 0x1ff;
    if (code > known) return false;
    bit += 9;
    known += 1;
    if (!inBlocks || code !== CLEAR) continue;
    // the next one begins with the next nine bytes
    bit = Math.ceil(bit / 72) * 72;
    known = letters;
  }
  return true;
}

const CPIO_BYTES = 26;
/** In words of which order: cpio's old binary header has both. */
type Word = "readUInt16LE" | "readUInt16BE";

/** cpio's old binary header: what kind of file it is. */
export const hasCpioMode = (head: Buffer, word: Word): boolean =>
  head.length > CPIO_BYTES && [1, 2, 4, 6, 8, 10, 12].includes(head[word](6) >> 12);

/** And a name that ends where it is said to. */
export const isOldCpio = (head: Buffer, word: Word): boolean =>
  hasCpioMode(head, word) && head[CPIO_BYTES + head[word](20) - 1] === 0;

const even = (bytes: number): number => bytes + (bytes % 2);

/** Whatever its name: another header lies behind the first file, as cpio and 7z would read on. */
export function cpioGoesOn(source: Source, word: Word): boolean {
  const head = source.read(0, CPIO_BYTES);
  const next = CPIO_BYTES + even(head[word](20)) + even(head[word](22) * 0x1_0000 + head[word](24));
  return next + 2 <= source.size && source.read(next, 2).equals(head.subarray(0, 2));
}

/** So many bytes of a script's first line Linux looks at. */
const LINE_BYTES_MAX = 256;
/** By a path, which may hold anything, or a name; or none, and a text behind it that a shell takes for its own. */
const PROGRAM = /^#![ \t]*(?:[/\\~][^\0-\x1f\x7f]*[ \t\r\n\0]|[\w.+~:/\\-]{2,}[ \t\r\n\0]|\r?\n[\t\n -~])/;

/** Whether its first line names a program that could run it. */
export const namesProgram = (head: Buffer): boolean => PROGRAM.test(head.toString("latin1", 0, LINE_BYTES_MAX));
