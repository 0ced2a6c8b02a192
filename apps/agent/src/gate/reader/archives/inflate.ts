/** Deflated bytes (RFC 1951) → chunks that have the size and the checksum they should. */
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { CHUNK_BYTES, Damaged, type Source } from "../source.ts";
import type { Stream } from "./member.ts";
import { unpack } from "./unpack.ts";

/** Up to here a member is unpacked in one call, which is faster. */
const AT_ONCE_BYTES = 1024 * 1024;
const EMPTY_BYTES_MAX = 16;

export function inflated(body: Source, size: number, sum: number): Stream {
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

/** Java's own writer deflates the nothing of a folder to two bytes. */
export function inflatesToNothing(body: Source): boolean {
  if (body.size > EMPTY_BYTES_MAX) return false;
  const done = inflateOnce(body, 0);
  return done.buffer.length === 0 && done.engine.bytesWritten === body.size;
}
