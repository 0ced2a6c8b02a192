/** The end of a zip → where its central directory lies, and that directory's bytes. */
import { Damaged, type Source, slice, u64 } from "../source.ts";
import { reason } from "../volume.ts";

const END_MARK = Buffer.from([0x50, 0x4b, 5, 6]);
const END64_LOCATOR = 0x0706_4b50;
const END64 = 0x0606_4b50;
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
export const CENTRAL = 0x0201_4b50;

/** `end`: where its end record lies. */
export type Directory = { at: number; bytes: number; count: number; shift: number; end: number; wide: boolean };

/** Whether it ends as a zip does, whatever it begins as. */
export function endsAsZip(source: Source): boolean {
  try {
    return findDirectory(source).count > 0;
  } catch (error) {
    reason(error);
    return false;
  }
}

export function readDirectory(source: Source, directory: Directory): Buffer {
  if (directory.bytes > DIRECTORY_BYTES_MAX) throw new Damaged("has a central directory larger than any real one");
  const parts: Buffer[] = [];
  const region = slice(source, directory.at, directory.bytes);
  for (let at = 0; at < region.size; at += 1 << 23) parts.push(region.read(at, Math.min(1 << 23, region.size - at)));
  return Buffer.concat(parts);
}

/** The last end record that has a directory before it: others that lie behind it belong to a comment, or are bait. */
export function findDirectory(source: Source): Directory {
  const tailBytes = Math.min(source.size, 65_535 + 22);
  const tail = source.read(source.size - tailBytes, tailBytes);
  let why: unknown;
  for (let at = tail.lastIndexOf(END_MARK); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(END_MARK, at - 1)) {
    if (at + 22 > tail.length) continue;
    try {
      return directoryAt(source, source.size - tailBytes + at, tail.subarray(at, at + 22));
    } catch (error) {
      reason(error);
      why ??= error;
    }
  }
  throw why ?? new Damaged("has no central directory; it is cut off or no archive");
}

function directoryAt(source: Source, end: number, record: Buffer): Directory {
  const wide = wideDirectory(source, end, record);
  if (wide) return wide;
  const bytes = record.readUInt32LE(12);
  const claimed = record.readUInt32LE(16);
  const count = record.readUInt16LE(10);
  if (record.readUInt16LE(4) !== 0) throw new Damaged("is one part of several");
  // what was put before the archive shifts every position in it
  const shift = end - bytes - claimed;
  if (shift < 0) throw new Damaged("has a central directory outside itself");
  const at = claimed + shift;
  if (count === 0 && bytes > 0) throw new Damaged("has a central directory that counts nothing");
  if (count > 0 && source.read(at, 4).readUInt32LE(0) !== CENTRAL)
    throw new Damaged("has a central directory that is none");
  return { at, bytes, count, shift, end, wide: false };
}

function wideDirectory(source: Source, end: number, record: Buffer): Directory | null {
  if (end < 20) return null;
  const locator = source.read(end - 20, 20);
  if (locator.readUInt32LE(0) !== END64_LOCATOR) return null;
  const claimed = u64(locator, 8);
  const wide = source.read(claimed, 56);
  if (wide.readUInt32LE(0) !== END64) throw new Damaged("has a wide end record that is none");
  const found = { at: u64(wide, 48), bytes: u64(wide, 40), count: u64(wide, 32), shift: 0, end, wide: true };
  const agrees = (narrow: number, full: number, value: number) => narrow === full || narrow === value;
  if (
    !agrees(record.readUInt16LE(10), 0xffff, found.count) ||
    !agrees(record.readUInt32LE(12), 0xffff_ffff, found.bytes) ||
    !agrees(record.readUInt32LE(16), 0xffff_ffff, found.at)
  )
    throw new Damaged("has two end records that disagree");
  return found;
}
