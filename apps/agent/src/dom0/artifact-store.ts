/** Artifacts on dom0's disk: each a file called by its sha256, and `.part` while it comes. A name proves nothing: bytes are
 *  summed once for each file as it lies there. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, utimes } from "node:fs/promises";
import { join } from "node:path";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { ArtifactError, type ArtifactPart, type ArtifactStore } from "../artifact/artifacts.ts";

const NAME = /^[0-9a-f]{64}$/;

export function artifactStore(folder: string): ArtifactStore {
  /** Sums by the file they are of. */
  const known = new Map<string, string>();

  async function find(sha256: string): Promise<string | undefined> {
    const path = join(folder, sha256);
    const facts = await stat(path).catch(absent);
    if (!facts?.isFile()) return undefined;
    const file = `${facts.ino}/${facts.size}/${facts.mtimeMs}`;
    const sum = known.get(file) ?? (await sumOf(path)).digest("hex");
    known.set(file, sum);
    return sum === sha256 ? path : undefined;
  }

  return {
    find,
    begin: (sha256) => beginPart(folder, sha256),
    async freeBytes() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    async prune(wanted, bytesMax) {
      const names = (await readdir(folder)).filter((name) => NAME.test(name.replace(/\.part$/, "")));
      const files = [];
      for (const name of names) {
        if (wanted.has(name.replace(/\.part$/, ""))) continue;
        const facts = await stat(join(folder, name)).catch(absent);
        if (facts) files.push({ name, size: facts.size, at: facts.mtimeMs });
      }
      files.sort((a, b) => b.at - a.at);
      let bytes = 0;
      for (const { name, size } of files) {
        bytes += size;
        // a part that nobody wants any more will never be whole
        if (bytes > bytesMax || name.endsWith(".part")) await rm(join(folder, name), { force: true });
      }
    },
  };
}

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT") throw error;
};

async function sumOf(path: string): Promise<Hash> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash;
}

async function beginPart(folder: string, sha256: string): Promise<ArtifactPart> {
  const path = join(folder, sha256);
  const part = `${path}.part`;
  let file: FileHandle;
  let hash: Hash;
  let bytes: number;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // what lies there under this name and has another sum is in the way
    await rm(path, { force: true });
    file = await open(part, "a", 0o600);
    bytes = (await file.stat()).size;
    hash = await sumOf(part);
  } catch (error) {
    throw new ArtifactError(`${part} cannot be written: ${whyNot(error)}`, { cause: error });
  }
  let isOpen = true;
  const close = async () => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  const drop = async () => {
    await close();
    await rm(part, { force: true });
  };
  const leave = () => (isOpen && bytes === 0 ? drop() : close());
  return {
    get bytes() {
      return bytes;
    },
    async add(chunk) {
      try {
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      } catch (error) {
        await drop(); // a full disk gets back what this took of it
        throw new ArtifactError(`dom0's disk does not take it: ${whyNot(error)}`, { cause: error });
      }
      hash.update(chunk);
      bytes += chunk.length;
    },
    async finish() {
      const sum = hash.digest("hex");
      if (sum !== sha256) {
        await drop();
        return { sum };
      }
      await file.sync();
      await close();
      await rename(part, path);
      const now = new Date();
      await utimes(path, now, now);
      const place = await open(folder, "r");
      await place.sync().finally(() => place.close());
      return { path };
    },
    close: leave,
    drop,
  };
}
