/** Zip (PKWARE's APPNOTE 6.3) by its central directory; a local header that tells another story makes the member
 *  unscannable, as another unpacker might believe that one. */
import { Damaged, type Source, slice, u64 } from "../source.ts";
import { reason } from "../volume.ts";
import { inflated, inflatesToNothing } from "./inflate.ts";
import type { Member, Stream } from "./member.ts";
import type { Packed } from "./repacked.ts";
import { CENTRAL, type Directory, findDirectory, readDirectory } from "./zip-directory.ts";
import { LOCAL_BYTES, refuseHidden } from "./zip-hidden.ts";

const LOCAL = 0x0403_4b50;
const STORED = 0;
const DEFLATED = 8;
/** Deflate64, which Windows takes for what is larger than 2 GB, BZip2, LZMA, xz and PPMd. */
const BY_SEVEN = new Set([9, 12, 14, 95, 98]);

/** The bits of a header's flags: encrypted, strongly so, and with a list of names that is. */
const ENCRYPTED = 0x2041;
/** Its sizes lie behind the member. */
const STREAMED = 8;

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
    const body = slice(source, data, packed);
    if (folder) {
      const isEmpty = body.size === 0 || (method === DEFLATED && inflatesToNothing(body));
      return isEmpty ? null : refuse("is a folder with content");
    }
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
