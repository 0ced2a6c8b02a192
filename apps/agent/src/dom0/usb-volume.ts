/** Gate → its own volume. A stick's bytes are read once, in order, into a file of their own, hashed on the way; then
 *  sealed: synced, read-only, its descriptor kept, so that what is scanned and attached is what was read. */
import { createHash, randomBytes } from "node:crypto";
import { type BigIntStats, constants, mkdirSync, statfsSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DoorError } from "./dom0.ts";

export type CopyOrder = {
  node: string;
  /** As the kernel says; the copy is exactly this long, or refused. */
  bytes: number;
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
};
export type Copied = { file: string; bytes: number; sha256: string };

/** `spoolBytes`: what the spool's files have, where they lie on the same file system. */
export type VolumeSpace = { folder: string; freeBytes: number; sizeBytes: number; spoolBytes: number | undefined };

export type UsbVolume = {
  /** As it is now, without a wait: nobody may ask and write down in between. @throws DoorError where it cannot be asked */
  space(): VolumeSpace;
  /** Of the disk, by a file that is being written; 0 where there is none. */
  takenBytes(file: string): number;
  path(file: string): string;
  /** @throws DoorError where it cannot be read to its end, or has none */
  copy(order: CopyOrder): Promise<Copied>;
  /** @throws DoorError where the file is not as long as it was written */
  seal(copied: Copied): Promise<void>;
  /** A file of its own to write a fresh file system into; sealed by `seal` when it is done. */
  blank(): Promise<{ file: string; handle: FileHandle }>;
  /** sha256 of the sealed file, read again from the descriptor that was kept; and the name still leads to it.
   *  @throws DoorError where it does not, or it is not sealed */
  check(file: string): Promise<string>;
  /** Names this one file as it lies there sealed: another in its place, and one that was written to since, say another.
   *  @throws DoorError where it is not sealed */
  seen(file: string): Promise<string>;
  discard(file: string): Promise<void>;
  files(): Promise<string[]>;
  /** Lets go of the descriptors; the files stay as they are. */
  close(): Promise<void>;
};

const CHUNK_BYTES = 4 * 1024 * 1024;
/** No answer from a stick within this time ends its passage; the kernel gives up on a command after 30 s, six times. */
const STALL_MS = 240_000;
const NAME = /^[0-9a-f]{32}\.img$/;

const said = (error: unknown): string => (error as Error).message;

/** `spool` is the spool's file, for what it may still grow by. */
export function usbVolume(
  folder: string,
  { spool, stallMs = STALL_MS }: { spool?: string; stallMs?: number } = {},
): UsbVolume {
  const sealed = new Map<string, FileHandle>();
  const path = (file: string): string => {
    if (!NAME.test(file)) throw new Error(`no name of the gate's: ${file}`);
    return join(folder, file);
  };
  async function blank(): Promise<{ file: string; handle: FileHandle }> {
    const file = `${randomBytes(16).toString("hex")}.img`;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;
      return { file, handle: await open(path(file), flags, 0o600) };
    } catch (error) {
      throw new DoorError(`the gate's volume ${folder} takes no file: ${said(error)}`, { cause: error });
    }
  }

  /** After a restart. Of two who ask at once, the first one's is kept. */
  async function reopened(file: string): Promise<FileHandle> {
    const handle = await open(path(file), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
    if (!handle) throw new DoorError(`the image ${file} is gone`);
    const kept = sealed.get(file);
    if (kept) await handle.close();
    else sealed.set(file, handle);
    return kept ?? handle;
  }

  /** By the descriptor that was kept; the name must still lead to it. */
  async function sealedFile(file: string): Promise<{ handle: FileHandle; own: BigIntStats }> {
    const handle = sealed.get(file) ?? (await reopened(file));
    const own = await handle.stat({ bigint: true });
    const named = await stat(path(file), { bigint: true }).catch(() => undefined);
    if (own.ino !== named?.ino || own.dev !== named.dev)
      throw new DoorError(`another file lies in the place of ${file}`);
    if ((Number(own.mode) & 0o777) !== 0o400) throw new DoorError(`the image ${file} is not sealed any more`);
    return { handle, own };
  }

  return {
    space() {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        const { bavail, blocks, bsize } = statfsSync(folder);
        const spoolBytes = spool !== undefined && isOneDisk(folder, dirname(spool)) ? bytesOf(spool) : undefined;
        return { folder, freeBytes: bavail * bsize, sizeBytes: blocks * bsize, spoolBytes };
      } catch (error) {
        throw new DoorError(`the gate's volume ${folder} does not say what is free: ${said(error)}`, { cause: error });
      }
    },
    // st_blocks counts 512 bytes each, whatever the file system's own are
    takenBytes: (file) => (statSync(path(file), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
    path,
    blank,
    async copy({ node, bytes, onProgress, signal }) {
      const source = await openNode(node);
      const { file, handle } = await blank().catch(async (error: Error) => {
        await source.close(); // alone as long: nobody else could read the stick
        throw error;
      });
      try {
        const hash = createHash("sha256");
        let at = 0;
        while (at < bytes) {
          signal.throwIfAborted();
          // a chunk of its own each time: the one before may still be on its way to the disk
          const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - at));
          const { bytesRead } = await within(source.read(chunk, 0, chunk.length, at), stallMs, signal, at);
          if (bytesRead === 0) throw new DoorError(`it ended at byte ${at} of the ${bytes} it has by its own word`);
          const read = chunk.subarray(0, bytesRead);
          hash.update(read);
          for (let have = 0; have < read.length; )
            have += (await handle.write(read, have, read.length - have, at + have)).bytesWritten;
          at += bytesRead;
          onProgress(at);
        }
        await handle.sync();
        return { file, bytes, sha256: hash.digest("hex") };
      } catch (error) {
        await unlink(path(file)).catch(() => {});
        if (error instanceof DoorError) throw error;
        throw new DoorError(`it could not be read whole: ${said(error)}`, { cause: error });
      } finally {
        await handle.close();
        // a read that hangs in the kernel ends when the stick is cut off; nobody waits for it
        void source.close().catch(() => {});
      }
    },
    async seal({ file, bytes }) {
      try {
        const handle = await open(path(file), constants.O_RDONLY | constants.O_NOFOLLOW);
        const before = sealed.get(file);
        sealed.set(file, handle);
        await before?.close();
        await handle.chmod(0o400);
        await handle.sync();
        await syncFolder(folder);
        const { size } = await handle.stat();
        if (size !== bytes) throw new Error(`it has ${size} bytes, ${bytes} were written`);
      } catch (error) {
        throw new DoorError(`the image ${file} cannot be sealed: ${said(error)}`, { cause: error });
      }
    },
    async seen(file) {
      const { ino, dev, size, mtimeNs, ctimeNs } = (await sealedFile(file)).own;
      return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
    },
    async check(file) {
      const { handle } = await sealedFile(file);
      const hash = createHash("sha256");
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let at = 0; ; ) {
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) return hash.digest("hex");
        hash.update(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
    },
    async discard(file) {
      await sealed.get(file)?.close();
      sealed.delete(file);
      await unlink(path(file)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT")
          throw new DoorError(`${file} cannot be removed: ${error.message}`, { cause: error });
      });
    },
    async files() {
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => NAME.test(name));
    },
    async close() {
      for (const handle of sealed.values()) await handle.close();
      sealed.clear();
    },
  };
}

/** One device, or one disk under two: subvolumes have numbers of their own and the same room. */
function isOneDisk(one: string, other: string): boolean {
  if (statSync(one).dev === statSync(other).dev) return true;
  const [a, b] = [statfsSync(one), statfsSync(other)];
  return a.type === b.type && a.blocks === b.blocks && a.bsize === b.bsize && a.bfree === b.bfree;
}

/** With its log. */
const bytesOf = (spool: string): number =>
  [spool, `${spool}-wal`].reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);

/** Alone: a node that is mounted, or held by another, is refused. */
async function openNode(node: string): Promise<FileHandle> {
  try {
    const isBlock = (await stat(node)).isBlockDevice();
    return await open(node, constants.O_RDONLY | constants.O_NONBLOCK | (isBlock ? constants.O_EXCL : 0));
  } catch (error) {
    throw new DoorError(`${node} cannot be opened: ${said(error)}`, { cause: error });
  }
}

async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal, at: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let aborted = () => {};
  const ended = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DoorError(`it gave no answer for ${ms / 1000} s at byte ${at}`)), ms);
    aborted = () => reject(new DoorError("the reading was broken off"));
    signal.addEventListener("abort", aborted, { once: true });
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", aborted);
    work.catch(() => {});
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
