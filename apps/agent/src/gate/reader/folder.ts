/** Folder → entries, as a volume: the same walk for a folder given by a person and for what 7z unpacked. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { Damaged, type Source } from "./source.ts";
import { type Bounds, brokenFolder, type Entry, type EntryKind, join, type Volume } from "./volume.ts";

/** Where a link points. @throws where the file system does not say */
type ReadLink = (path: Buffer) => Buffer;
const linkOf: ReadLink = (path) => readlinkSync(path, { encoding: "buffer" });

export function folderVolume(root: string, readLink: ReadLink = linkOf): Volume {
  return { fileSystem: "folder", bytes: 0, entries: (bounds) => walk(Buffer.from(root), bounds, readLink) };
}

function kindOf(stats: Stats): EntryKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "folder";
  if (stats.isSymbolicLink()) return "link";
  if (stats.isFIFO()) return "fifo";
  return stats.isSocket() ? "socket" : "device";
}

function* walk(root: Buffer, bounds: Bounds, readLink: ReadLink): Generator<Entry> {
  const folders: { path: Buffer; depth: number }[] = [{ path: Buffer.alloc(0), depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    let names: Buffer[];
    try {
      names = readdirSync(place(root, folder.path), { encoding: "buffer" }) as Buffer[];
    } catch (error) {
      yield brokenFolder(folder.path, `cannot be read: ${(error as Error).message.slice(0, 200)}`);
      continue;
    }
    for (const name of names) {
      bounds.take();
      try {
        const path = join(folder.path, name, folder.depth);
        const entry = entryOf(root, path, readLink);
        if (entry.kind === "folder") folders.push({ path, depth: folder.depth + 1 });
        yield entry;
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        yield brokenFolder(folder.path, error.message);
      }
    }
  }
}

function entryOf(root: Buffer, path: Buffer, readLink: ReadLink): Entry {
  const full = place(root, path);
  let stats: Stats;
  let target: Buffer | undefined;
  let kind: EntryKind = "file";
  try {
    stats = lstatSync(full);
    kind = kindOf(stats);
    if (kind === "link") target = readLink(full);
  } catch (error) {
    return {
      path,
      kind,
      size: 0,
      content: null,
      problem: `cannot be read: ${(error as Error).message.slice(0, 200)}`,
    };
  }
  if (target) return { path, kind, size: 0, content: null, detail: `to ${target.toString("utf8")}` };
  if (kind !== "file") return { path, kind, size: 0, content: null };
  return { path, kind, size: stats.size, content: lazyFile(full, stats.size) };
}

const place = (root: Buffer, path: Buffer): Buffer =>
  path.length === 0 ? root : Buffer.concat([root, Buffer.from("/"), path]);

/** Opened for each read, so that no number of files runs out of descriptors; never through a link, never a pipe. */
function lazyFile(path: Buffer, size: number): Source {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return {
    size,
    read(at, length, into) {
      if (at < 0 || at + length > size)
        throw new Damaged(`points to byte ${at}, ${length} long, outside its ${size} bytes`);
      let fd: number;
      try {
        fd = openSync(path, flags);
      } catch (error) {
        throw new Damaged(`cannot be opened: ${(error as Error).message.slice(0, 200)}`);
      }
      try {
        if (!fstatSync(fd).isFile()) throw new Damaged("is no file any more");
        const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
        for (let have = 0; have < length; ) {
          const got = readSync(fd, bytes, have, length - have, at + have);
          if (got === 0) throw new Damaged("became shorter while it was read");
          have += got;
        }
        return bytes;
      } finally {
        closeSync(fd);
      }
    },
  };
}
