/** RFC 6587: a TCP connection → syslog frames. Octet counting (`LEN SP message`) or lines, by the first bytes.
 *  A count that cannot be ends the counting: what follows is read as lines, so that nothing is lost. */
import { wholeCharacters } from "../bytes.ts";
import { type Piece, type Splitter, splitter } from "../lines.ts";

/** No `end`: a connection cannot be read again. */
export type Frame = Omit<Piece, "end"> | { bytes: Buffer; unread: string };
/** As a splitter's: one at a time. */
export type Frames = { push(chunk: Uint8Array): Iterable<Frame>; rest(): Frame[] };

const COUNT = /^([1-9]\d{0,8}) /;
const COUNT_BEGINS = /^(?:[1-9]\d{0,8})?$/;
const COUNT_CHARS_MAX = 10;

export function frames(lineBytesMax: () => number): Frames {
  let reader: Frames | undefined;
  let first: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      if (reader) return reader.push(chunk);
      first = Buffer.concat([first, chunk]);
      const begin = first.toString("latin1", 0, COUNT_CHARS_MAX);
      if (COUNT.test(begin)) reader = octets(lineBytesMax);
      else if (!COUNT_BEGINS.test(begin)) reader = lines(lineBytesMax);
      if (!reader) return [];
      const all = first;
      first = Buffer.alloc(0);
      return reader.push(all);
    },
    rest: () => (reader ? reader.rest() : first.length > 0 ? [{ bytes: first }] : []),
  };
}

function lines(lineBytesMax: () => number): Frames {
  const split: Splitter = splitter({ lineBytesMax });
  return {
    push: (chunk) => split.push(chunk),
    rest: () => {
      const last = split.rest();
      return last ? [last] : [];
    },
  };
}

function octets(lineBytesMax: () => number): Frames {
  const held = heap();
  let left = 0;
  let count = 0;
  let part = 0;
  let broken = undefined as Frames | undefined;

  /** One frame or part from the front of what is held; nothing until more came. */
  const next = (): Frame | undefined => {
    if (left === 0) {
      const begin = held.peek(COUNT_CHARS_MAX).toString("latin1");
      const found = COUNT.exec(begin);
      if (!found) {
        if (!COUNT_BEGINS.test(begin)) broken = lines(lineBytesMax);
        return undefined;
      }
      count = Number(found[1]);
      left = count;
      held.take(found[0].length);
    }
    const max = lineBytesMax();
    if (left > max) {
      if (held.length() < max) return undefined;
      const bytes = held.take(wholeCharacters(held.peek(max)) || max);
      left -= bytes.length;
      part++;
      return { bytes, part: { number: part, last: false } };
    }
    if (held.length() < left) return undefined;
    const bytes = held.take(left);
    left = 0;
    const frame: Frame = part > 0 ? { bytes, part: { number: part + 1, last: true } } : { bytes };
    part = 0;
    return frame;
  };

  return {
    *push(chunk) {
      if (broken) return yield* broken.push(chunk);
      held.put(chunk);
      for (let frame = next(); frame; frame = next()) yield frame;
      if (!broken) return held.keepApart();
      const bytes = held.take(held.length());
      const onward: Frames = broken;
      yield { bytes: noCount(bytes), unread: "no octet count where one must stand; read on as lines" };
      yield* onward.push(bytes);
    },
    rest() {
      if (broken) return broken.rest();
      if (held.length() === 0 && left === 0) return [];
      const reason =
        left > 0
          ? `the connection ended in a frame of ${count} bytes, ${left - held.length()} short`
          : "the connection ended in an octet count";
      return [{ bytes: held.take(held.length()), unread: reason }];
    },
  };
}

/** Up to the first byte that is of no count: the same however the stream was cut. */
function noCount(bytes: Buffer): Buffer {
  let end = 1;
  while (end < bytes.length && COUNT_BEGINS.test(bytes.toString("latin1", 0, end))) end++;
  return bytes.subarray(0, end);
}

const CHUNKS_MAX = 64;

/** Bytes that wait for the rest of their frame. They are put together when a frame is whole and not at each byte that
 *  comes: a sender of single bytes costs no more than another. */
function heap() {
  let chunks: Buffer[] = [];
  let length = 0;
  const whole = (): Buffer => {
    if (chunks.length !== 1) chunks = [Buffer.concat(chunks, length)];
    return chunks[0]!;
  };
  return {
    length: () => length,
    put(chunk: Uint8Array): void {
      chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      length += chunk.length;
    },
    peek: (bytes: number): Buffer => ((chunks[0]?.length ?? 0) >= bytes ? chunks[0]! : whole()).subarray(0, bytes),
    take(bytes: number): Buffer {
      const all = whole();
      chunks = [all.subarray(bytes)];
      length -= bytes;
      return all.subarray(0, bytes);
    },
    /** What stays must not keep a whole chunk alive, nor change when its reader uses that memory again. */
    keepApart(): void {
      if (chunks.length > CHUNKS_MAX) chunks = [Buffer.concat(chunks, length)];
      else if (chunks.length > 0) chunks.push(Buffer.from(chunks.pop()!));
    },
  };
}
