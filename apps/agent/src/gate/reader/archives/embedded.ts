/** Chunks → where a 7z or RAR archive begins inside something else: a self-unpacking program, a picture with a tail. The
 *  mark alone is nothing (unpackers carry it as a constant): the header behind it must match its own checksum. */
import { crc32 } from "node:zlib";
import { Damaged, type Source } from "../source.ts";
import type { Container } from "./format.ts";

const MARKS = [Buffer.from("7z\xbc\xaf\x27\x1c", "latin1"), Buffer.from("Rar!\x1a\x07", "latin1")];
const MARK_BYTES = 6;
/** Marks that are looked at in one file; a file of more is no honest one. */
export const MARKS_MAX = 256;
const RAR_HEADER_BYTES_MAX = 64 * 1024;

export type Search = { add(chunk: Buffer): void; places(): readonly number[] };

export function search(): Search {
  const places: number[] = [];
  let passed = 0;
  let rest = Buffer.alloc(0);
  const find = (bytes: Buffer, from: number) => {
    for (const mark of MARKS)
      for (let at = bytes.indexOf(mark); at >= 0 && places.length <= MARKS_MAX; at = bytes.indexOf(mark, at + 1))
        if (!places.includes(from + at)) places.push(from + at);
  };
  return {
    add(chunk) {
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
    const type = typeAt(source, at);
    if (type === null) continue;
    found.push({ how: "seven", from: at, ...type });
    // a 7z says how long it is; nobody says it of a RAR
    end = at + (type.bytes ?? 1);
  }
  return found;
}

function typeAt(source: Source, at: number): { type: string; name: string; bytes?: number } | null {
  try {
    const head = source.read(at, Math.min(32, source.size - at));
    if (head[0] === 0x37) {
      if (crc32(head.subarray(12, 32)) !== head.readUInt32LE(8)) return null;
      return { type: "7z", name: "7z", bytes: 32 + number64(head, 12) + number64(head, 20) };
    }
    if (head[6] === 0) {
      const length = head.readUInt16LE(12);
      const header = source.read(at + 7, Math.min(length, source.size - at - 7));
      return (crc32(header.subarray(2)) & 0xffff) === header.readUInt16LE(0) ? { type: "Rar", name: "RAR" } : null;
    }
    if (head[6] !== 1 || head[7] !== 0) return null;
    const { value, bytes } = vint(head, 12);
    if (value > RAR_HEADER_BYTES_MAX) return null;
    const header = source.read(at + 12, Math.min(bytes + value, source.size - at - 12));
    return crc32(header) === head.readUInt32LE(8) ? { type: "Rar5", name: "RAR" } : null;
  } catch (error) {
    if (error instanceof Damaged || error instanceof RangeError) return null;
    throw error;
  }
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
