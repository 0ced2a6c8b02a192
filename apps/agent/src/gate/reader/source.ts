/** Image file → volumes, archives. Random reads over bytes that somebody else wrote; nothing here trusts a number. */
import { readSync } from "node:fs";

/** The medium contradicts itself or ends early. Caught where a file, folder or volume can be named for it. */
export class Damaged extends Error {}

/** One of our own bounds was reached. */
export class LimitReached extends Error {}

/** Read, hashed and handed over at once: it fits into a processor's own cache, and each turn of a thread that unpacks is worth it. */
export const CHUNK_BYTES = 256 * 1024;

export type Source = {
  /** Bytes. */
  readonly size: number;
  /** CRC-32 of the whole, where an archive claims one; looked at when all of it has been read. */
  readonly sum?: number;
  /** Exactly `length` bytes from `at`; in `into` where there is one of that size and the bytes do not lie in memory already.
   *  @throws Damaged where that lies outside */
  read(at: number, length: number, into?: Buffer): Buffer;
};

/** One read never asks for more memory than this. */
export const READ_BYTES_MAX = 16 * 1024 * 1024;

function within(size: number, at: number, length: number): void {
  if (!Number.isSafeInteger(at) || !Number.isSafeInteger(length) || at < 0 || length < 0 || at + length > size) {
    throw new Damaged(`points to byte ${at}, ${length} long, outside its ${size} bytes`);
  }
  if (length > READ_BYTES_MAX) throw new Damaged(`wants ${length} bytes at once`);
}

export function fileSource(fd: number, size: number): Source {
  return {
    size,
    read(at, length, into) {
      within(size, at, length);
      const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
      for (let have = 0; have < length; ) {
        const got = readSync(fd, bytes, have, length - have, at + have);
        if (got === 0) throw new Damaged(`ends at byte ${at + have}, before its size`);
        have += got;
      }
      return bytes;
    },
  };
}

export function bytesSource(bytes: Buffer): Source {
  return {
    size: bytes.length,
    read(at, length) {
      within(bytes.length, at, length);
      return bytes.subarray(at, at + length);
    },
  };
}

export function slice(base: Source, from: number, size: number): Source {
  if (from < 0 || size < 0 || from + size > base.size)
    throw new Damaged(`runs from byte ${from} to ${from + size} of ${base.size}`);
  return {
    size,
    read(at, length, into) {
      within(size, at, length);
      return base.read(from + at, length, into);
    },
  };
}

/** A run of a file on its medium; `from` null is a hole, read as zeros. */
export type Extent = { from: number | null; bytes: number };

/** A file made of extents in order. What they do not cover of `size` reads as zeros where `zeroTail` says so.
 *  @throws Damaged where an extent lies outside the medium or they do not reach `size` */
export function extentSource(base: Source, extents: Extent[], size: number, zeroTail = false): Source {
  const starts: number[] = [];
  let covered = 0;
  for (const extent of extents) {
    if (extent.from !== null && (extent.from < 0 || extent.from + extent.bytes > base.size)) {
      throw new Damaged(`has content at byte ${extent.from}, outside the medium's ${base.size}`);
    }
    starts.push(covered);
    covered += extent.bytes;
  }
  if (covered < size && !zeroTail) throw new Damaged(`is said to have ${size} bytes, of which ${covered} can be found`);
  const readRun = (at: number, length: number, into?: Buffer): Buffer => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    const extent = extents[low];
    if (extent === undefined || at >= covered) return Buffer.alloc(length);
    const inside = at - starts[low]!;
    const take = Math.min(length, extent.bytes - inside);
    return extent.from === null ? Buffer.alloc(take) : base.read(extent.from + inside, take, into);
  };
  return {
    size,
    read(at, length, into) {
      within(size, at, length);
      const parts: Buffer[] = [];
      for (let have = 0; have < length; ) {
        const part = readRun(at + have, length - have, into?.subarray(have));
        parts.push(part);
        have += part.length;
      }
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
    },
  };
}

/** Adds a run, joining it to the one before where they touch. */
export function addExtent(extents: Extent[], from: number | null, bytes: number): void {
  const last = extents.at(-1);
  if (last && (from === null ? last.from === null : last.from !== null && last.from + last.bytes === from))
    last.bytes += bytes;
  else extents.push({ from, bytes });
}

/** A 64-bit number as a double.
 *  @throws Damaged beyond 2^53 */
export function u64(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);
  if (!Number.isSafeInteger(value)) throw new Damaged("names a position beyond any medium");
  return value;
}
