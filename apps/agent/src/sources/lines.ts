/** A stream of bytes → lines of bounded length, whatever the cuts between its chunks. */
import { wholeCharacters } from "./bytes.ts";

/** A line without its ending, or a part of one that was too long. `end`: bytes of the stream up to behind it. */
export type Piece = { bytes: Buffer; end: number; part?: { number: number; last: boolean } };

export type Splitter = {
  /** One at a time, so that a chunk of nothing but line endings costs no more memory than another. To be taken to its
   *  end before the next push; the chunk must not change until then. */
  push(chunk: Uint8Array): Iterable<Piece>;
  /** What stands behind the last line ending; the stream is over. */
  rest(): Piece | undefined;
  /** Bytes held that are no piece yet, at most `lineBytesMax`. */
  held(): number;
};

export type Splitting = {
  /** Asked at each chunk, since policy changes it while lines flow. */
  lineBytesMax: () => number;
  /** Bytes that end a line; a line feed unless told otherwise. */
  endings?: readonly number[];
  /** The stream goes on behind this many parts of a long line. */
  parts?: number;
  /** Where the stream begins, for `end`. */
  start?: number;
};

export function splitter({ lineBytesMax, endings = [10], parts = 0, start = 0 }: Splitting): Splitter {
  let held: Buffer[] = [];
  let length = 0;
  let part = parts;
  let end = start;

  const take = (): Buffer => {
    const whole = held.length === 1 ? held[0]! : Buffer.concat(held, length);
    held = [];
    length = 0;
    return whole;
  };
  const hold = (bytes: Buffer) => {
    if (bytes.length === 0) return;
    held.push(bytes);
    length += bytes.length;
  };
  const finish = (): Piece => {
    const piece: Piece = { bytes: take(), end };
    if (part > 0) piece.part = { number: part + 1, last: true };
    part = 0;
    return piece;
  };

  return {
    *push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      const max = lineBytesMax();
      const find = finder(bytes, endings);
      for (let at = 0; at < bytes.length; ) {
        const stop = find(at);
        const upTo = stop < 0 ? bytes.length : stop;
        const room = Math.max(0, max - length);
        if (upTo - at > room) {
          hold(bytes.subarray(at, at + room));
          end += room;
          at += room;
          const long = take();
          const whole = wholeCharacters(long) || long.length;
          part++;
          const piece = { bytes: long.subarray(0, whole), end: end - (long.length - whole) };
          hold(long.subarray(whole));
          yield { ...piece, part: { number: part, last: false } };
          continue;
        }
        hold(bytes.subarray(at, upTo));
        end += upTo - at;
        at = upTo;
        if (stop >= 0) {
          at++;
          end++;
          yield finish();
        }
      }
      keepApart(held, length);
    },
    rest: () => (length > 0 || part > 0 ? finish() : undefined),
    held: () => length,
  };
}

const HELD_CHUNKS_MAX = 64;

/** What is held must not keep a whole chunk alive, nor change when its reader uses that memory again; and a sender of
 *  single bytes must not make a long list of them. */
function keepApart(held: Buffer[], length: number): void {
  if (held.length > HELD_CHUNKS_MAX) held.splice(0, held.length, Buffer.concat(held, length));
  else if (held.length > 0) held[held.length - 1] = Buffer.from(held.at(-1)!);
}

/** Finds the next of several bytes; each is looked for once per place, however many lines lie before it. */
function finder(bytes: Buffer, endings: readonly number[]): (from: number) => number {
  const next = endings.map(() => -2);
  return (from) => {
    let first = -1;
    for (const [place, ending] of endings.entries()) {
      if (next[place] === -2 || (next[place]! >= 0 && next[place]! < from)) next[place] = bytes.indexOf(ending, from);
      if (next[place]! >= 0 && (first < 0 || next[place]! < first)) first = next[place]!;
    }
    return first;
  };
}
