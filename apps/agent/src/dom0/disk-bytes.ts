/** A volume's bytes, piece by piece; and a key as a file that has no name. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { DoorError } from "./dom0.ts";

const CHUNK_BYTES = 1024 * 1024;
/** More than any header and small enough to be read at a look. */
const BLANK_BYTES = 1024 * 1024;

export async function isBlank(device: string): Promise<boolean> {
  const zeros = Buffer.alloc(BLANK_BYTES);
  let blank = true;
  await eachPiece(device, "r", BLANK_BYTES, async (file, at, chunk) => {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    blank &&= chunk.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead));
    return bytesRead;
  });
  return blank;
}

/** Piece by piece, up to the bound or the end. Written pieces are on the disk when it returns. */
export async function eachPiece(
  path: string,
  flags: "r" | "r+",
  bytes: number,
  act: (file: FileHandle, at: number, chunk: Buffer) => Promise<number>,
): Promise<void> {
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new DoorError(`${bytes} bytes of ${path} are no number of bytes`);
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags);
    // a block device says that it has no size: reading and writing end at its end
    const found = await file.stat();
    const end = found.isFile() ? Math.min(bytes, found.size) : bytes;
    for (let at = 0; at < end; ) {
      const done = await act(file, at, Buffer.alloc(Math.min(CHUNK_BYTES, end - at)));
      if (done === 0) break;
      at += done;
    }
    if (flags === "r+") await file.sync();
  } catch (error) {
    throw new DoorError(`cannot ${flags === "r" ? "read" : "write"} ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

/** For programs that want a file they can seek in. It has no name when the key goes in: nothing is left after a kill. */
export async function inMemory<T>(key: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const path = `/dev/shm/sallyport-${randomUUID()}`;
  const file = await open(path, "wx+", 0o600).catch((error: Error) => {
    throw new DoorError(`cannot make a file in memory: ${error.message}`, { cause: error });
  });
  try {
    await unlink(path);
    await file.writeFile(key);
    return await use(`/proc/${process.pid}/fd/${file.fd}`);
  } finally {
    await file.close();
  }
}
