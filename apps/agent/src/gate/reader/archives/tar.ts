/** tar: ustar and pax (POSIX.1-2017, `pax`), and GNU's long names. */
import { Damaged, type Source, slice } from "../source.ts";
import type { EntryKind } from "../volume.ts";
import type { Member } from "./member.ts";

const BLOCK = 512;
const NAME_BYTES_MAX = 64 * 1024;

const KINDS: Record<string, EntryKind> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "link",
  "2": "link",
  "3": "device",
  "4": "device",
  "5": "folder",
  "6": "fifo",
};

export function isTar(head: Buffer): boolean {
  const begins = (block: Buffer) => block.length === BLOCK && block[0] !== 0 && sumsUp(block);
  // one empty block in front is passed over by who unpacks it
  const empty = head.length > BLOCK && head.subarray(0, BLOCK).every((byte) => byte === 0);
  return begins(head.subarray(0, BLOCK)) || (empty && begins(head.subarray(BLOCK, 2 * BLOCK)));
}

function sumsUp(header: Buffer): boolean {
  const claimed = octal(header.subarray(148, 156));
  // old ones added up signed bytes, and both are taken
  let sum = 0;
  let signed = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = at >= 148 && at < 156 ? 32 : header[at]!;
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return sum === claimed || (signed === claimed && hasNumbers(header));
}

/** Signed bytes at random add up to little, as does what one takes for octal digits among them. Who takes such a header
 *  asks for a size, and for a sum or a mode, that are numbers to their end (GNU, 7-Zip, Python, libarchive), or for one of
 *  tar's marks (BusyBox). */
function hasNumbers(header: Buffer): boolean {
  if (/^(?:ustar|\0{5})/.test(header.toString("latin1", 257, 262))) return true;
  const [mode, size, sum] = [header.subarray(100, 108), header.subarray(124, 136), header.subarray(148, 156)];
  return isNumber(size) && (isNumber(sum) || isNumber(mode));
}

/** Octal digits; or by its first byte nothing, or a number of another kind. */
const isNumber = (field: Buffer): boolean =>
  OTHER_NUMBERS.has(field[0]!) || /^\s*(?:[0-7]+(?![^\s\0])|$)/.test(field.toString("latin1"));
const OTHER_NUMBERS = new Set([0, 0x80, 0xff, 0x2b, 0x2d]);

/** @throws Damaged at a header that does not sum up */
export function* tar(source: Source): Generator<Member> {
  let long: Buffer | null = null;
  let pax: Map<string, Buffer> = new Map();
  for (let at = 0; at + BLOCK <= source.size; ) {
    const header = source.read(at, BLOCK);
    if (header.every((byte) => byte === 0)) {
      at += BLOCK;
      continue;
    }
    if (!sumsUp(header)) throw new Damaged(`has no header at byte ${at}`);
    const type = String.fromCharCode(header[156]!);
    const ofMember = !"LKxg".includes(type);
    const size = Number((ofMember ? pax.get("size")?.toString("latin1") : null) ?? number(header.subarray(124, 136)));
    if (!Number.isSafeInteger(size) || size < 0) throw new Damaged("has a member without a size");
    const from = at + BLOCK;
    at = from + Math.ceil(size / BLOCK) * BLOCK;
    if (type === "L") long = cut(slice(source, from, size).read(0, Math.min(size, NAME_BYTES_MAX)));
    else if (type === "x") {
      if (pax.size > 0) throw new Damaged("has two extended headers for one member");
      pax = paxRecords(slice(source, from, size).read(0, size));
    } else if (type === "g") {
      // for all that follow; unpackers differ in whether they heed it
      const global = paxRecords(slice(source, from, size).read(0, size));
      if ([...global.keys()].some((key) => /^(size|path|linkpath)$|sparse/i.test(key)))
        throw new Damaged("has an extended header that changes all of its members");
    } else if (type === "K") continue;
    else {
      const name = pax.get("path") ?? long ?? plainName(header);
      yield memberOf(source, name, type, from, size, pax, cut(header.subarray(157, 257)));
      long = null;
      pax = new Map();
    }
  }
}

function memberOf(
  source: Source,
  name: Buffer,
  type: string,
  from: number,
  size: number,
  pax: Map<string, Buffer>,
  target: Buffer,
): Member {
  const kind = KINDS[type];
  const refuse = (problem: string): Member => ({ name, kind: "file", size, content: null, problem });
  if (kind === undefined) return refuse(`is of tar's type ${JSON.stringify(type)}, which the gate does not read`);
  if (pax.has("GNU.sparse.major") || pax.has("GNU.sparse.map")) return refuse("is stored with holes");
  // whether content follows it is read one way by this unpacker and another by that
  if (kind !== "file" && size > 0) return refuse("is no file, and is said to have content");
  if (kind !== "file") {
    const detail = kind === "link" ? { detail: `to ${(pax.get("linkpath") ?? target).toString("utf8")}` } : {};
    return { name, kind, size: 0, content: null, ...detail };
  }
  if (from + size > source.size) return refuse("is cut off");
  if (name.at(-1) === 0x2f && size === 0) return { name, kind: "folder", size: 0, content: null };
  return { name, kind, size, content: slice(source, from, size) };
}

function plainName(header: Buffer): Buffer {
  const name = cut(header.subarray(0, 100));
  const prefix =
    header.toString("latin1", 257, 262) === "ustar" && header[262] === 0
      ? cut(header.subarray(345, 500))
      : Buffer.alloc(0);
  return prefix.length === 0 ? Buffer.from(name) : Buffer.concat([prefix, Buffer.from("/"), name]);
}

function paxRecords(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    const equals = bytes.indexOf(0x3d, space);
    if (space < 0 || !(length > 0) || equals < 0 || at + length > bytes.length)
      throw new Damaged("has a pax record that ends outside it");
    records.set(bytes.toString("utf8", space + 1, equals), Buffer.from(bytes.subarray(equals + 1, at + length - 1)));
    at += length;
  }
  return records;
}

const cut = (bytes: Buffer): Buffer => {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
};

const octal = (bytes: Buffer): number =>
  Number.parseInt(
    bytes
      .toString("latin1")
      .replace(/[\0 ]+$/, "")
      .trim() || "0",
    8,
  );

/** Octal digits, or a binary number where the first bit is set. */
function number(bytes: Buffer): number {
  if ((bytes[0]! & 0x80) === 0) return octal(bytes);
  let value = bytes[0]! & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  return value;
}
