/** Packed source → chunks, through one of Node's own decompressors. */
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { CHUNK_BYTES, Damaged, type Source, slice } from "../source.ts";
import type { Member } from "./member.ts";

/** @throws Damaged where the packed bytes are not what they should be, or something other than zeros lies behind them */
export async function* unpack(source: Source, through: Transform): AsyncGenerator<Buffer> {
  const packed = function* () {
    for (let at = 0; at < source.size; at += CHUNK_BYTES)
      yield source.read(at, Math.min(CHUNK_BYTES, source.size - at));
  };
  const input = Readable.from(packed());
  input.on("error", (error) => through.destroy(error));
  try {
    for await (const chunk of input.pipe(through)) yield chunk as Buffer;
    const end = (through as Transform & { bytesWritten: number }).bytesWritten;
    if (!onlyZeros(source, end)) throw new Damaged(`ends at byte ${end}, and has something behind that`);
  } catch (error) {
    if (error instanceof Damaged) throw error;
    throw new Damaged(`cannot be unpacked: ${(error as Error).message}`);
  } finally {
    input.destroy();
    through.destroy();
  }
}

function onlyZeros(source: Source, from: number): boolean {
  for (let at = from; at < source.size; at += CHUNK_BYTES)
    if (source.read(at, Math.min(CHUNK_BYTES, source.size - at)).some((byte) => byte !== 0)) return false;
  return true;
}

/** Frame after frame (RFC 8878), as Node's own passes over what follows the first one in the same piece. */
async function* zstdFrames(source: Source): AsyncGenerator<Buffer> {
  for (let at = 0; at < source.size; ) {
    const frame = frameAt(source, at);
    if (!frame.skipped) yield* unpack(slice(source, at, frame.bytes), createZstdDecompress({ chunkSize: CHUNK_BYTES }));
    at += frame.bytes;
  }
}

const FRAME = 0xfd2f_b528;
const SKIPPED = 0x184d_2a5;

/** @throws Damaged where no frame begins, or ends */
function frameAt(source: Source, at: number): { bytes: number; skipped: boolean } {
  const head = source.read(at, Math.min(8, source.size - at));
  const mark = head.readUInt32LE(0);
  if (mark >>> 4 === SKIPPED) {
    const bytes = 8 + head.readUInt32LE(4);
    if (at + bytes > source.size) throw new Damaged("is cut off");
    return { bytes, skipped: true };
  }
  if (mark !== FRAME) throw new Damaged(`ends at byte ${at}, and has something behind that`);
  const flags = head[4]!;
  const single = (flags & 0x20) !== 0;
  const size = [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  let next = at + 5 + (single ? 0 : 1) + [0, 1, 2, 4][flags & 3]! + size;
  for (let last = false; !last; ) {
    const block = source.read(next, 3).readUIntLE(0, 3);
    last = (block & 1) !== 0;
    // a block of one byte, repeated, is one byte long
    next += 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
  }
  return { bytes: next + (flags & 4 ? 4 : 0) - at, skipped: false };
}

/** gzip and Zstandard hold one member, whose name is the archive's without its ending. */
function* single(
  source: Source,
  archive: Buffer,
  chunks: () => AsyncGenerator<Buffer>,
  plain?: true,
): Generator<Member> {
  yield {
    name: innerName(archive),
    kind: "file",
    size: null,
    content: { chunks, packed: source.size },
    ...(plain && { plain }),
  };
}

/** Plain: clamd has the same zlib, and what it does not unpack to the end is no gzip here either. */
export const gzip = (source: Source, archive: Buffer): Generator<Member> =>
  single(source, archive, () => unpack(source, createGunzip({ chunkSize: CHUNK_BYTES })), true);
export const zstd = (source: Source, archive: Buffer): Generator<Member> =>
  single(source, archive, () => zstdFrames(source));

function innerName(archive: Buffer): Buffer {
  const name = archive.subarray(archive.lastIndexOf(0x2f) + 1).toString("latin1");
  const inner = name.replace(/\.t(gz|zst)$/i, ".tar").replace(/\.(gz|zst|svgz)$/i, "");
  return Buffer.from(inner === "" ? "content" : inner, "latin1");
}
