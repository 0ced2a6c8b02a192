/** Chunks → where an archive of 7z, RAR or an installer begins inside something else: a self-unpacking program, a picture with a tail. The
 *  mark alone is nothing (unpackers carry it as a constant): the header behind it must match its own checksum. */
import { crc32 } from "node:zlib";
import { Damaged, type Source } from "../source.ts";
import type { Container } from "./format.ts";

/** Each with the part of it that is looked for: what begins with a letter is slow to tell from text. */
type Mark = { bytes: Buffer; part: Buffer; at: number };
const mark = (text: string, at = 0): Mark => {
  const bytes = Buffer.from(text, "latin1");
  return { bytes, part: bytes.subarray(at), at };
};
const ARCHIVES = [mark("7z\xbc\xaf\x27\x1c", 2), mark("Rar!\x1a\x07", 4)];
/** Only Windows' programs carry these. */
const INNO = mark("Inno Setup Setup Data (");
const INSTALLERS = [mark("\xef\xbe\xad\xdeNullsoftInst"), INNO];
/** Of the longest of them. */
const MARK_BYTES = 23;
/** Marks that are looked at in one file; a file of more is no honest one. */
export const MARKS_MAX = 256;
const RAR_HEADER_BYTES_MAX = 64 * 1024;

export type Search = { add(chunk: Buffer): void; places(): readonly number[] };

export function search(): Search {
  const places: number[] = [];
  let passed = 0;
  let rest = Buffer.alloc(0);
  let marks = ARCHIVES;
  const find = (bytes: Buffer, from: number) => {
    for (const { bytes: whole, part, at: before } of marks)
      for (let at = bytes.indexOf(part); at >= 0 && places.length <= MARKS_MAX; at = bytes.indexOf(part, at + 1)) {
        const begin = at - before;
        // what began in the chunk before is found on the border
        if (begin < 0 || bytes.compare(whole, 0, before, begin, at) !== 0) continue;
        if (!places.includes(from + begin)) places.push(from + begin);
      }
  };
  return {
    add(chunk) {
      if (passed === 0 && chunk[0] === 0x4d && chunk[1] === 0x5a) marks = [...ARCHIVES, ...INSTALLERS];
      if (rest.length > 0) find(Buffer.concat([rest, chunk.subarray(0, MARK_BYTES)]), passed - rest.length);
      find(chunk, passed);
      passed += chunk.length;
      rest = Buffer.from(
        chunk.length >= MARK_BYTES
          ? chunk.subarray(-MARK_BYTES + 1)
          : Buffer.concat([rest, chunk]).subarray(-MARK_BYTES + 1),
      );
    },
    places: () => places.sort((a, b) => a - b),
  };
}

/** Which of the places are archives, in order; what lies inside one that was found is that one's own. */
export function embedded(source: Source, places: readonly number[]): Container[] {
  const found: Container[] = [];
  if (places.length > MARKS_MAX)
    return [{ how: "closed", what: `a file with more than ${MARKS_MAX} marks of archives` }];
  let end = 0;
  for (const at of places) {
    if (at === 0 || at < end) continue;
    const container = containerAt(source, at);
    if (container === null) continue;
    found.push(container);
    // a 7z says how long it is; the others do not
    end = at + ((container.how === "seven" && container.bytes) || 1);
  }
  return found;
}

const seven = (type: string, name: string, from: number): Container => ({ how: "seven", type, name, from });

function containerAt(source: Source, at: number): Container | null {
  try {
    const head = source.read(at, Math.min(32, source.size - at));
    switch (head[0]) {
      case 0x37:
        if (crc32(head.subarray(12, 32)) !== head.readUInt32LE(8)) return null;
        return { how: "seven", type: "7z", name: "7z", from: at, bytes: 32 + number64(head, 12) + number64(head, 20) };
      case 0x52:
        return rarAt(source, head, at);
      case 0xef:
        // four bytes of flags stand before its mark, on a sector's start
        return (at - 4) % 512 === 0 ? seven("Nsis", "an NSIS installer", at - 4) : null;
      default:
        // a program of any kind may name it; the version stands behind it in the installer's own
        return /^\d/.test(head.toString("latin1", INNO_BYTES)) && isProgram(source)
          ? { how: "closed", what: "an Inno Setup installer, which the gate does not unpack" }
          : null;
    }
  } catch (error) {
    if (error instanceof Damaged || error instanceof RangeError) return null;
    throw error;
  }
}

const INNO_BYTES = INNO.bytes.length;
const isProgram = (source: Source): boolean => source.read(0, 2).toString("latin1") === "MZ";

function rarAt(source: Source, head: Buffer, at: number): Container | null {
  if (head[6] === 0) {
    const length = head.readUInt16LE(12);
    const header = source.read(at + 7, Math.min(length, source.size - at - 7));
    return (crc32(header.subarray(2)) & 0xffff) === header.readUInt16LE(0) ? seven("Rar", "RAR", at) : null;
  }
  if (head[6] !== 1 || head[7] !== 0) return null;
  const { value, bytes } = vint(head, 12);
  if (value > RAR_HEADER_BYTES_MAX) return null;
  const header = source.read(at + 12, Math.min(bytes + value, source.size - at - 12));
  return crc32(header) === head.readUInt32LE(8) ? seven("Rar5", "RAR", at) : null;
}

const number64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

/** RAR 5's numbers: seven bits a byte, low ones first. */
export function vint(bytes: Buffer, at: number): { value: number; bytes: number } {
  let value = 0;
  for (let length = 0; length < 5; length++) {
    const byte = bytes.readUInt8(at + length);
    value += (byte & 0x7f) * 2 ** (7 * length);
    if ((byte & 0x80) === 0) return { value, bytes: length + 1 };
  }
  throw new Damaged("has a number longer than any can be");
}

/** Whether its list of names is encrypted, which the archive's first header tells. */
export function lockedRar(head: Buffer): boolean {
  try {
    if (head[6] === 0) return head[9] === 0x73 && (head.readUInt16LE(10) & 0x80) !== 0;
    const size = vint(head, 12);
    return vint(head, 12 + size.bytes).value === 4;
  } catch {
    return false; // cut short: 7z will refuse it
  }
}
