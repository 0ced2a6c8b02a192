/** Zip (PKWARE's APPNOTE 6.3) by its central directory; a local header that tells another story makes the member
 *  unscannable, as another unpacker might believe that one. */
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { CHUNK_BYTES, Damaged, type Source, slice, u64 } from "../source.ts";
import { reason } from "../volume.ts";
import { embedded, search } from "./embedded.ts";
import type { Member, Stream } from "./member.ts";
import type { Packed } from "./repacked.ts";
import { unpack } from "./unpack.ts";

const END_MARK = Buffer.from([0x50, 0x4b, 5, 6]);
const END64_LOCATOR = 0x0706_4b50;
const END64 = 0x0606_4b50;
const CENTRAL = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const STORED = 0;
const DEFLATED = 8;
/** Deflate64, which Windows takes for what is larger than 2 GB, BZip2, LZMA, xz and PPMd. */
const BY_SEVEN = new Set([9, 12, 14, 95, 98]);
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
/** Up to here a member is unpacked in one call, which is faster. */
const AT_ONCE_BYTES = 1024 * 1024;
const EMPTY_BYTES_MAX = 16;

/** The bits of a header's flags: encrypted, strongly so, and with a list of names that is. */
const ENCRYPTED = 0x2041;
/** Its sizes lie behind the member. */
const STREAMED = 8;

const WINDOW_BYTES = 1024 * 1024;

/** `end`: where its end record lies. */
type Directory = { at: number; bytes: number; count: number; shift: number; end: number; wide: boolean };
/** `narrow`: by the fields of 32 bits alone it lies there, of the header whose sizes count. */
type Region = { from: number; to: number; narrow: boolean };

/** `bySeven`: packed by a method that 7z may know; its problem stands where nobody asks that one. */
export type ZipMember = Member & { bySeven?: Packed };

/** @throws Damaged where it ends in no central directory */
export function* zip(source: Source): Generator<ZipMember> {
  const directory = findDirectory(source);
  const bytes = readDirectory(source, directory);
  const regions: Region[] = [];
  const members: ZipMember[] = [];
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
  const plain = isPlain(source, directory, regions) && members.every(isPlainMember);
  for (const member of members) yield plain ? { ...member, plain } : member;
  const covered = [...regions, { from: directory.at, to: directory.end + 22 }, { from: source.size, to: source.size }];
  let from = 0;
  for (const region of covered) {
    if (region.from - from >= LOCAL_BYTES) refuseHidden(slice(source, from, region.from - from));
    from = Math.max(from, region.to);
  }
}

/** Behind a member that was written to a pipe: its checksum and its sizes, with a mark or without. */
const DESCRIPTOR_BYTES = [0, 12, 16];

/** One reading and no other: member behind member from the first byte on, then the directory, then its end. clamd knows no
 *  wide fields, and passes over a member whose local header gives no sizes or is cut short by them. */
function isPlain(source: Source, { at, bytes, shift, end, wide }: Directory, regions: readonly Region[]): boolean {
  if (wide || shift !== 0 || at + bytes !== end || end + 22 !== source.size) return false;
  let from = 0;
  for (const region of [...regions, { from: at, to: end, narrow: true }]) {
    if (!region.narrow || !DESCRIPTOR_BYTES.includes(region.from - from)) return false;
    from = region.to;
  }
  return regions[0]?.from === 0;
}

/** Stored or deflated, and no folder by its name. */
const isPlainMember = ({ name, content, bySeven }: ZipMember): boolean =>
  content !== null && bySeven === undefined && name.length > 0 && name.at(-1) !== 0x2f;

const LOCAL_BYTES = 30;
const METHODS = new Set([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18, 19, 20, 93, 94, 95, 96, 97, 98, 99]);

/** Between its members and around them lies what the directory does not name: an unpacker that reads from the front, or
 *  looks for another archive's mark, would find it.
 *  @throws Damaged where there is something to find */
function refuseHidden(gap: Source): void {
  const mark = Buffer.from([0x50, 0x4b, 3, 4]);
  const others = search();
  for (let at = 0; at < gap.size; at += WINDOW_BYTES) {
    // each window reaches into the next, so that a header on the border is whole in one of them
    const bytes = gap.read(at, Math.min(WINDOW_BYTES + LOCAL_BYTES, gap.size - at));
    others.add(bytes.subarray(0, WINDOW_BYTES));
    for (let found = bytes.indexOf(mark); found >= 0; found = bytes.indexOf(mark, found + 1))
      if (isLocal(bytes.subarray(found))) throw new Damaged("has a member that its directory does not name");
  }
  if (
    embedded(
      prefixed(gap),
      others.places().map((place) => place + 1),
    ).length > 0
  )
    throw new Damaged("has another archive between or behind its members");
}

/** One byte on, as a place of 0 means the file itself. */
const prefixed = (gap: Source): Source => ({
  size: gap.size + 1,
  read: (at, length) => gap.read(at - 1, length),
});

const isLocal = (bytes: Buffer): boolean =>
  bytes.length >= LOCAL_BYTES &&
  bytes[4]! <= 63 &&
  METHODS.has(bytes.readUInt16LE(8)) &&
  bytes.readUInt16LE(26) > 0 &&
  bytes.readUInt16LE(26) <= 4096;

/** Whether it ends as a zip does, whatever it begins as. */
export function endsAsZip(source: Source): boolean {
  try {
    return findDirectory(source).count > 0;
  } catch (error) {
    reason(error);
    return false;
  }
}

function readDirectory(source: Source, directory: Directory): Buffer {
  if (directory.bytes > DIRECTORY_BYTES_MAX) throw new Damaged("has a central directory larger than any real one");
  const parts: Buffer[] = [];
  const region = slice(source, directory.at, directory.bytes);
  for (let at = 0; at < region.size; at += 1 << 23) parts.push(region.read(at, Math.min(1 << 23, region.size - at)));
  return Buffer.concat(parts);
}

/** The last end record that has a directory before it: others that lie behind it belong to a comment, or are bait. */
function findDirectory(source: Source): Directory {
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

function readMember(source: Source, entry: Buffer, shift: number, regions: Region[]): ZipMember | null {
  const flags = entry.readUInt16LE(8);
  const method = entry.readUInt16LE(10);
  const nameBytes = entry.readUInt16LE(28);
  const name = Buffer.from(entry.subarray(46, 46 + nameBytes));
  const wide = wideNumbers(entry, 46 + nameBytes, entry.readUInt16LE(30));
  const { size, packed } = wide;
  const mode = entry[5] === 3 ? entry.readUInt32LE(38) >>> 16 : 0;
  const kind = mode >> 12 === 10 ? "link" : "file";
  const folder = name.at(-1) === 0x2f && size === 0;
  const refuse = (problem: string): Member => ({ name, kind, size, content: null, problem });
  try {
    const from = wide.at + shift;
    const local = source.read(from, 30);
    if (local.readUInt32LE(0) !== LOCAL) return refuse("its local header is none");
    const localName = source.read(from + 30, local.readUInt16LE(26));
    const data = from + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    regions.push({ from, to: data + packed, narrow: isNarrow(entry, local, wide) });
    const localFlags = local.readUInt16LE(6);
    if (((flags | localFlags) & ENCRYPTED) !== 0 || method === 99) return refuse("encrypted");
    if (local.readUInt16LE(8) !== method || !localName.equals(name) || !sizesAgree(local, packed, size))
      return refuse("its two headers disagree");
    // who goes by the local header alone would unpack what lies there
    if (folder) return isEmpty(slice(source, data, packed), method) ? null : refuse("is a folder with content");
    const body = slice(source, data, packed);
    const sum = entry.readUInt32LE(16);
    if (method !== STORED && method !== DEFLATED)
      return {
        ...refuse(`compressed by method ${method}, which the gate does not unpack`),
        ...(BY_SEVEN.has(method) && { bySeven: { method, flags, sum, size, body } }),
      };
    if (method === STORED && packed !== size) return refuse("is stored and has two sizes");
    const content: Source | Stream = method === STORED ? { ...body, sum } : inflated(body, size, sum);
    return { name, kind, size, content };
  } catch (error) {
    return refuse(reason(error));
  }
}

/** Java's own writer deflates the nothing of a folder to two bytes. */
function isEmpty(body: Source, method: number): boolean {
  if (body.size === 0) return true;
  if (method !== DEFLATED || body.size > EMPTY_BYTES_MAX) return false;
  const done = inflateOnce(body, 0);
  return done.buffer.length === 0 && done.engine.bytesWritten === body.size;
}

function isNarrow(
  entry: Buffer,
  local: Buffer,
  { packed, size, at }: { packed: number; size: number; at: number },
): boolean {
  const sizes = (header: Buffer, from: number) =>
    header.readUInt32LE(from) === packed && header.readUInt32LE(from + 4) === size;
  const streamed = (local.readUInt16LE(6) & STREAMED) !== 0;
  return entry.readUInt32LE(42) === at && sizes(entry, 20) && (streamed || sizes(local, 18));
}

/** Behind the member, or in a wide field, the local header may leave them out. */
function sizesAgree(local: Buffer, packed: number, size: number): boolean {
  const [one, other] = [local.readUInt32LE(18), local.readUInt32LE(22)];
  if ((local.readUInt16LE(6) & STREAMED) !== 0 || (one === 0 && other === 0)) return true;
  const agree = (written: number, value: number) => written === 0xffff_ffff || written === value;
  return agree(one, packed) && agree(other, size);
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
      body.size <= AT_ONCE_BYTES && size <= 4 * AT_ONCE_BYTES
        ? once(body, size)
        : unpack(body, createInflateRaw({ chunkSize: CHUNK_BYTES }));
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

/** What zlib's calls give with `info`, which their types do not say. */
type Inflated = { buffer: Buffer; engine: { bytesWritten: number } };

function inflateOnce(body: Source, size: number): Inflated {
  try {
    return inflateRawSync(body.read(0, body.size), { maxOutputLength: size + 1, info: true }) as unknown as Inflated;
  } catch (error) {
    throw new Damaged(`cannot be unpacked: ${(error as Error).message}`);
  }
}

async function* once(body: Source, size: number): AsyncGenerator<Buffer> {
  const done = inflateOnce(body, size);
  if (done.engine.bytesWritten !== body.size) throw new Damaged("has something behind its end");
  yield done.buffer;
}
