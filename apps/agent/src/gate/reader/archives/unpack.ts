/** Packed source → chunks, through one of Node's own decompressors. */
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { Damaged, type Source } from "../source.ts";
import type { Member } from "./member.ts";

const CHUNK_BYTES = 256 * 1024;

/** @throws Damaged where the packed bytes are not what they should be */
export async function* unpack(source: Source, through: Transform): AsyncGenerator<Buffer> {
  const packed = function* () {
    for (let at = 0; at < source.size; at += CHUNK_BYTES)
      yield source.read(at, Math.min(CHUNK_BYTES, source.size - at));
  };
  const input = Readable.from(packed());
  input.on("error", (error) => through.destroy(error));
  try {
    for await (const chunk of input.pipe(through)) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof Damaged) throw error;
    throw new Damaged(`cannot be unpacked: ${(error as Error).message}`);
  } finally {
    input.destroy();
    through.destroy();
  }
}

/** gzip and Zstandard hold one member, whose name is the archive's without its ending. */
function* single(source: Source, archive: Buffer, through: () => Transform): Generator<Member> {
  yield {
    name: innerName(archive),
    kind: "file",
    size: null,
    content: { chunks: () => unpack(source, through()), packed: source.size },
  };
}

export const gzip = (source: Source, archive: Buffer): Generator<Member> =>
  single(source, archive, () => createGunzip());
export const zstd = (source: Source, archive: Buffer): Generator<Member> =>
  single(source, archive, () => createZstdDecompress());

function innerName(archive: Buffer): Buffer {
  const name = archive.subarray(archive.lastIndexOf(0x2f) + 1).toString("latin1");
  const inner = name.replace(/\.t(gz|zst)$/i, ".tar").replace(/\.(gz|zst|svgz)$/i, "");
  return Buffer.from(inner === "" ? "content" : inner, "latin1");
}
