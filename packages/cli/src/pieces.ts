/** A pack's bytes → the files in it, whether they arrive as a stream or lie on disk. No I/O: the bytes are arguments. */
import { padded, readTarHeader, TAR_BLOCK } from "@sallyport/shared/wire/tar.ts";
import { Fault } from "./fault.ts";

/** A piece of an export is at most a bundle of contents: 256 records of 256 KiB. */
export const PIECE_BYTES_MAX = 80 * 1024 * 1024;

export type Piece = { name: string; bytes: Uint8Array };
export type Place = { at: number; size: number };
/** As many bytes as asked for, fewer at the end. */
export type ReadAt = (at: number, size: number) => Promise<Uint8Array>;

/** Where each file lies in a pack that can be read at any place; nothing is read but the headers.
 *  @throws Fault where it breaks off, is no pack, or holds a name twice */
export async function placesOf(readAt: ReadAt): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  for (let at = 0; ; ) {
    const header = readTarHeader(await readAt(at, TAR_BLOCK));
    if (!header.ok) throw new Fault(header.error);
    if (header.value === "end") return places;
    const { name, size } = header.value;
    if (places.has(name)) throw new Fault(`it holds ${name} twice`);
    places.set(name, { at: at + TAR_BLOCK, size });
    at += TAR_BLOCK + padded(size);
  }
}

/** The files of a pack as it arrives, one in memory at a time.
 *  @throws Fault where it breaks off before its end, is no pack, or holds a name twice or a piece too large */
export async function* piecesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  const stream = new Stream(chunks);
  const names = new Set<string>();
  for (;;) {
    const header = readTarHeader(await stream.take(TAR_BLOCK));
    if (!header.ok) throw new Fault(`The export broke off or is damaged: ${header.error}.`);
    if (header.value === "end") return;
    const { name, size } = header.value;
    if (names.has(name)) throw new Fault(`The export is damaged: it holds ${name} twice.`);
    names.add(name);
    refuseTooLarge(name, size);
    const bytes = await stream.take(padded(size));
    if (bytes.length < padded(size)) throw new Fault(`The export broke off in the middle of ${name}.`);
    yield { name, bytes: bytes.subarray(0, size) };
  }
}

/** @throws Fault */
export function refuseTooLarge(name: string, size: number): void {
  if (size > PIECE_BYTES_MAX) throw new Fault(`${name} has ${size} bytes; no piece of an export is that large.`);
}

/** Exactly as many bytes as asked for, fewer at the end. */
class Stream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Uint8Array> {
    const parts = [this.#held];
    for (let have = this.#held.length; have < size; ) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      parts.push(value);
      have += value.length;
    }
    const all = Buffer.concat(parts);
    this.#held = all.subarray(size);
    return all.subarray(0, size);
  }
}
