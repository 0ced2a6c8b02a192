/** Zip (PKWARE's APPNOTE 6.3) by its central directory; a local header that tells another story makes the member
 *  unscannable, as another unpacker might believe that one. */
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { Damaged, type Source, slice, u64 } from "../source.ts";
import { reason } from "../volume.ts";
import type { Member, Stream } from "./member.ts";
import { unpack } from "./unpack.ts";

const END = 0x0605_4b50;
const END64_LOCATOR = 0x0706_4b50;
const END64 = 0x0606_4b50;
const CENTRAL = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const STORED = 0;
const DEFLATED = 8;
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
/** Up to here a member is unpacked in one call, which is faster. */
const AT_ONCE_BYTES = 1024 * 1024;

type Directory = { at: number; bytes: number; count: number; shift: number };

/** @throws Damaged where it ends in no central directory */
export function* zip(source: Source): Generator<Member> {
  const directory = findDirectory(source);
  const bytes = readDirectory(source, directory);
  const regions: { from: number; to: number }[] = [];
  const members: Member[] = [];
  let at = 0;
  for (let index = 0; index < directory.count; index++) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== CENTRAL)
      throw new Damaged("has a central directory that ends early");
    const nameBytes = bytes.readUInt16LE(at + 28);
    const extraBytes = bytes.readUInt16LE(at + 30);
    const length = 46 + nameBytes + extraBytes + bytes.readUInt16LE(at + 32);
    const member = readMember(source, bytes.subarray(at, at + length), directory.shift, regions);
    if (member) members.push(member);
    at += length;
  }
  // an unpacker that goes by the directory's length and not by the count would find more
  if (at !== bytes.length) throw new Damaged("has a central directory that goes on behind the members it counts");
  regions.sort((a, b) => a.from - b.from);
  for (let index = 1; index < regions.length; index++) {
    if (regions[index]!.from < regions[index - 1]!.to) throw new Damaged("has members that lie over one another");
  }
  yield* members;
}

function readDirectory(source: Source, directory: Directory): Buffer {
  if (directory.bytes > DIRECTORY_BYTES_MAX) throw new Damaged("has a central directory larger than any real one");
  const parts: Buffer[] = [];
  const region = slice(source, directory.at, directory.bytes);
  for (let at = 0; at < region.size; at += 1 << 23) parts.push(region.read(at, Math.min(1 << 23, region.size - at)));
  return Buffer.concat(parts);
}

function findDirectory(source: Source): Directory {
  const tailBytes = Math.min(source.size, 65_535 + 22);
  const tail = source.read(source.size - tailBytes, tailBytes);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END) continue;
    const end = source.size - tailBytes + at;
    const record = tail.subarray(at, at + 22);
    const wide = wideDirectory(source, end);
    if (wide) return wide;
    const bytes = record.readUInt32LE(12);
    const claimed = record.readUInt32LE(16);
    if (record.readUInt16LE(4) !== 0) throw new Damaged("is one part of several");
    // what was put before the archive shifts every position in it
    const shift = end - bytes - claimed;
    if (shift < 0) throw new Damaged("has a central directory outside itself");
    return { at: claimed + shift, bytes, count: record.readUInt16LE(10), shift };
  }
  throw new Damaged("has no central directory; it is cut off or no archive");
}

function wideDirectory(source: Source, end: number): Directory | null {
  if (end < 20) return null;
  const locator = source.read(end - 20, 20);
  if (locator.readUInt32LE(0) !== END64_LOCATOR) return null;
  const claimed = u64(locator, 8);
  const record = source.read(claimed, 56);
  if (record.readUInt32LE(0) !== END64) throw new Damaged("has a wide end record that is none");
  return { at: u64(record, 48), bytes: u64(record, 40), count: u64(record, 32), shift: 0 };
}

function readMember(
  source: Source,
  entry: Buffer,
  shift: number,
  regions: { from: number; to: number }[],
): Member | null {
  const flags = entry.readUInt16LE(8);
  const method = entry.readUInt16LE(10);
  const nameBytes = entry.readUInt16LE(28);
  const name = Buffer.from(entry.subarray(46, 46 + nameBytes));
  const wide = wideNumbers(entry, 46 + nameBytes, entry.readUInt16LE(30));
  const { size, packed } = wide;
  const mode = entry[5] === 3 ? entry.readUInt32LE(38) >>> 16 : 0;
  const kind = mode >> 12 === 10 ? "link" : "file";
  if (name.at(-1) === 0x2f && size === 0) return null;
  const refuse = (problem: string): Member => ({ name, kind, size, content: null, problem });
  try {
    const from = wide.at + shift;
    const local = source.read(from, 30);
    if (local.readUInt32LE(0) !== LOCAL) return refuse("its local header is none");
    const localName = source.read(from + 30, local.readUInt16LE(26));
    const data = from + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    regions.push({ from, to: data + packed });
    const encrypted = (flags & 1) !== 0 || method === 99;
    if (encrypted) return refuse("encrypted");
    if (local.readUInt16LE(8) !== method || !localName.equals(name)) return refuse("its two headers disagree");
    if (method !== STORED && method !== DEFLATED)
      return refuse(`compressed by method ${method}, which the gate does not unpack`);
    if (method === STORED && packed !== size) return refuse("is stored and has two sizes");
    const body = slice(source, data, packed);
    const content: Source | Stream =
      method === STORED ? { ...body, sum: entry.readUInt32LE(16) } : inflated(body, size, entry.readUInt32LE(16));
    return { name, kind, size, content };
  } catch (error) {
    return refuse(reason(error));
  }
}

/** Sizes and place, from the wide extra field where the narrow ones are full. */
function wideNumbers(entry: Buffer, extraAt: number, extraBytes: number): { size: number; packed: number; at: number } {
  const numbers = { packed: entry.readUInt32LE(20), size: entry.readUInt32LE(24), at: entry.readUInt32LE(42) };
  for (let at = extraAt; at + 4 <= extraAt + extraBytes; ) {
    const length = entry.readUInt16LE(at + 2);
    if (entry.readUInt16LE(at) === 1) {
      let value = at + 4;
      for (const key of ["size", "packed", "at"] as const) {
        if (numbers[key] !== 0xffff_ffff) continue;
        numbers[key] = u64(entry, value);
        value += 8;
      }
    }
    at += 4 + length;
  }
  return numbers;
}

function inflated(body: Source, size: number, sum: number): Stream {
  async function* chunks(): AsyncGenerator<Buffer> {
    let checked = 0;
    let out = 0;
    const pieces =
      body.size <= AT_ONCE_BYTES && size <= 4 * AT_ONCE_BYTES ? once(body, size) : unpack(body, createInflateRaw());
    for await (const piece of pieces) {
      out += piece.length;
      if (out > size) throw new Damaged("unpacks to more than it says");
      checked = crc32(piece, checked);
      yield piece;
    }
    if (out !== size) throw new Damaged(`unpacks to ${out} bytes and says ${size}`);
    if (checked !== sum) throw new Damaged("does not match its checksum");
  }
  return { chunks, packed: body.size };
}

async function* once(body: Source, size: number): AsyncGenerator<Buffer> {
  let bytes: Buffer;
  try {
    bytes = inflateRawSync(body.read(0, body.size), { maxOutputLength: size + 1 });
  } catch (error) {
    throw new Damaged(`cannot be unpacked: ${(error as Error).message}`);
  }
  yield bytes;
}
