/** An archive that came out of another one, kept aside: small ones in memory, larger ones in the reader's own folder. */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { bytesSource, Damaged, fileSource, type Source } from "../source.ts";

const MEMORY_BYTES_MAX = 8 * 1024 * 1024;
/** All that is kept in memory at one time. */
const MEMORY_BYTES_TOTAL = 64 * 1024 * 1024;
let inMemory = 0;

export type Spool = { add(chunk: Buffer): void; source(): Source; drop(): void };

export function spool(workDir: string | null): Spool {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let held = 0;
  let file: { fd: number; path: string } | null = null;

  function toFile(): void {
    if (workDir === null) throw new Damaged("is an archive within an archive, larger than can be kept in memory");
    const path = `${workDir}/${randomUUID()}`;
    file = { fd: openSync(path, "wx+", 0o600), path };
    for (const chunk of chunks) writeAll(file.fd, chunk);
    release();
  }
  function release(): void {
    chunks = [];
    inMemory -= held;
    held = 0;
  }
  return {
    add(chunk) {
      if (file === null && (bytes + chunk.length > MEMORY_BYTES_MAX || inMemory + chunk.length > MEMORY_BYTES_TOTAL))
        toFile();
      bytes += chunk.length;
      if (file) return writeAll(file.fd, chunk);
      chunks.push(chunk);
      held += chunk.length;
      inMemory += chunk.length;
    },
    source() {
      return file ? fileSource(file.fd, bytes) : bytesSource(Buffer.concat(chunks));
    },
    drop() {
      release();
      if (file) {
        closeSync(file.fd);
        unlinkSync(file.path);
        file = null;
      }
    },
  };
}

export function writeAll(fd: number, bytes: Buffer): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw new Damaged(`needs more room to unpack than there is (${(error as NodeJS.ErrnoException).code})`);
  }
}
