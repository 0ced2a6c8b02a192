/** ext2, ext3 and ext4 (the kernel's Documentation/filesystems/ext4), read without the journal: where that holds
 *  changes not yet made, a guest that mounts the image could see other files than these, and the volume says so. */
import { Damaged, type Extent, extentSource, type Source, slice } from "../source.ts";
import {
  type Bounds,
  brokenFolder,
  type Entry,
  fileEntry,
  join,
  KINDS,
  powerOfTwo,
  reason,
  type Volume,
} from "../volume.ts";
import {
  type ExtLayout,
  fileExtents,
  INLINE_BYTES,
  type Inode,
  inlineContent,
  readInode,
  superblockIn,
} from "./ext-inode.ts";

const RECOVER = 0x4;
/** Of those that a system may be without. */
const HAS_JOURNAL = 0x4;
const JOURNAL_MARK = 0xc03b_3998;
const EXTENTS = 0x40;
const INLINE_DATA = 0x8000;
/** Of those that a system may be without and read on. */
const SPARSE_SUPER2 = 0x200;
/** Of those that a system may be without, so long as it only reads. */
const SPARSE_SUPER = 0x1;
const BIGALLOC = 0x200;
/** compression, journal device: what this reader does not follow. Unknown bits count as such too. */
const KNOWN_INCOMPAT = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;
const ENCRYPTED = 0x800;
const FOLDER_BYTES_MAX = 256 * 1024 * 1024;
const ROOT = 2;

export function ext(source: Source): Volume | null {
  if (source.size < 2048) return null;
  const superblock = source.read(1024, 1024);
  if (superblock.readUInt16LE(56) !== 0xef53) return null;
  const incompat = superblock.readUInt32LE(96);
  const compat = superblock.readUInt32LE(92);
  const fileSystem = incompat & EXTENTS ? "ext4" : compat & HAS_JOURNAL ? "ext3" : "ext2";
  const readOnly = superblock.readUInt32LE(100);
  const broken = (problem: string): Volume => ({ fileSystem, bytes: source.size, problem, entries: function* () {} });
  const shift = superblock.readUInt32LE(24);
  if (shift > 6) return broken("the superblock's block size makes no sense");
  const block = 1024 << shift;
  const wide = (incompat & 0x80) !== 0;
  const blocks = superblock.readUInt32LE(4) + (wide ? superblock.readUInt32LE(336) * 0x1_0000_0000 : 0);
  const layout: ExtLayout = {
    source,
    block,
    inodes: superblock.readUInt32LE(0),
    inodesPerGroup: superblock.readUInt32LE(40),
    blocksPerGroup: superblock.readUInt32LE(32),
    inodeBytes: superblock.readUInt32LE(76) === 0 ? 128 : superblock.readUInt16LE(88),
    descriptorBytes: wide ? superblock.readUInt16LE(254) : 32,
    firstBlock: superblock.readUInt32LE(20),
    metaFrom: incompat & 0x10 ? superblock.readUInt32LE(260) : null,
    copies:
      compat & SPARSE_SUPER2
        ? [superblock.readUInt32LE(588), superblock.readUInt32LE(592)]
        : readOnly & SPARSE_SUPER
          ? "sparse"
          : "all",
    inline: (incompat & INLINE_DATA) !== 0,
    extents: (incompat & EXTENTS) !== 0,
  };
  const sane =
    layout.inodesPerGroup > 0 &&
    layout.blocksPerGroup > 0 &&
    powerOfTwo(layout.inodeBytes) &&
    layout.inodeBytes >= 128 &&
    layout.inodeBytes <= block &&
    powerOfTwo(layout.descriptorBytes) &&
    layout.descriptorBytes >= (wide ? 64 : 32) &&
    layout.descriptorBytes <= 1024;
  if (!sane) return broken("the superblock's numbers make no sense");
  const label = superblock.toString("utf8", 120, 136).replace(/\0.*$/s, "");
  const first = superblockIn(block);
  const moved = layout.firstBlock !== first && !(readOnly & BIGALLOC && layout.firstBlock === 0);
  const problem = moved
    ? `its first group begins at block ${layout.firstBlock}, where some systems look for what others find behind block ${first}`
    : problemOf(
        incompat,
        blocks * block,
        source.size,
        (compat & HAS_JOURNAL) !== 0 && journalHolds(layout, superblock),
      );
  return {
    fileSystem,
    bytes: blocks * block,
    ...(label !== "" ? { label } : {}),
    ...(problem === null ? {} : { problem }),
    entries: (bounds) => walk(layout, bounds),
  };
}

/** Whether its journal begins somewhere, as after no clean unmount: a repair plays it back, where the superblock says that
 *  there is nothing to recover too. */
function journalHolds(layout: ExtLayout, superblock: Buffer): boolean {
  try {
    const number = superblock.readUInt32LE(224);
    const head = number === 0 ? null : content(layout, readInode(layout, number)).read(0, 32);
    return head !== null && head.readUInt32BE(0) === JOURNAL_MARK && head.readUInt32BE(28) !== 0;
  } catch (error) {
    reason(error);
    return false; // nobody finds anything in it
  }
}

function problemOf(incompat: number, bytes: number, have: number, journalHolds: boolean): string | null {
  if (bytes > have) return `the file system claims ${bytes} bytes, the medium has ${have}`;
  if (incompat & RECOVER || journalHolds)
    return "its journal holds changes that are not made yet; unmount it cleanly and try again";
  if ((incompat & ~KNOWN_INCOMPAT) !== 0) return "it uses features that the gate does not read";
  return null;
}

type Folder = { path: Buffer; inode: number; depth: number };

function* walk(layout: ExtLayout, bounds: Bounds): Generator<Entry> {
  const seen = new Set<number>();
  const folders: Folder[] = [{ path: Buffer.alloc(0), inode: ROOT, depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    try {
      if (seen.has(folder.inode)) throw new Damaged("is a folder that is listed twice or holds itself");
      seen.add(folder.inode);
      const inode = readInode(layout, folder.inode);
      if (inode.mode >> 12 !== 4) throw new Damaged("is listed as a folder and is none");
      if (inode.flags & ENCRYPTED) throw new Damaged("is an encrypted folder");
      for (const item of folderItems(layout, inode)) {
        bounds.take();
        const path = join(folder.path, item.name, folder.depth);
        const entry = entryOf(layout, path, item.inode);
        if (entry.kind === "folder" && entry.problem === undefined) {
          folders.push({ path, inode: item.inode, depth: folder.depth + 1 });
        }
        yield entry;
      }
    } catch (error) {
      yield brokenFolder(folder.path, reason(error));
    }
  }
}

function entryOf(layout: ExtLayout, path: Buffer, number: number): Entry {
  let inode: Inode;
  try {
    inode = readInode(layout, number);
  } catch (error) {
    return fileEntry(path, 0, () => layout.source, reason(error));
  }
  const kind = KINDS[inode.mode >> 12];
  switch (kind) {
    case undefined:
      return fileEntry(
        path,
        inode.size,
        () => layout.source,
        `has a mode that names no kind of file (${inode.mode.toString(8)})`,
      );
    case "folder":
      return { path, kind, size: 0, content: null };
    case "link":
      return link(layout, path, inode);
    case "device":
      return {
        path,
        kind,
        size: 0,
        content: null,
        detail: inode.mode >> 12 === 2 ? "character device" : "block device",
      };
    case "fifo":
    case "socket":
      return { path, kind, size: 0, content: null };
    default: {
      const locked = inode.flags & ENCRYPTED ? "encrypted" : undefined;
      return fileEntry(path, inode.size, () => content(layout, inode), locked);
    }
  }
}

function link(layout: ExtLayout, path: Buffer, inode: Inode): Entry {
  const entry: Entry = { path, kind: "link", size: inode.size, content: null };
  try {
    const fast = inode.size < 60 && (inode.flags & 0x8_0000) === 0;
    const target = fast
      ? inode.block.subarray(0, inode.size)
      : content(layout, inode).read(0, Math.min(inode.size, 4096));
    return { ...entry, detail: `to ${target.toString("utf8")}` };
  } catch (error) {
    return { ...entry, problem: reason(error) };
  }
}

function content(layout: ExtLayout, inode: Inode): Source {
  const inline = inlineContent(layout, inode);
  if (inline) return slice(inline, 0, Math.min(inode.size, inline.size));
  const extents: Extent[] = fileExtents(layout, inode);
  return extentSource(layout.source, extents, inode.size, true);
}

/** Linear, as the index of a large folder hides in records that a linear reader passes over. To the end of its blocks: its
 *  size is where Linux ends, and not where all others do.
 *  @throws Damaged at the end, where the two are not the same */
function* folderItems(layout: ExtLayout, inode: Inode): Generator<{ name: Buffer; inode: number }> {
  const inline = inlineContent(layout, inode);
  if (inline) {
    // behind the parent's number, and apart from what lies behind the inode
    yield* recordsIn(layout, slice(inline, 4, INLINE_BYTES - 4));
    yield* recordsIn(layout, slice(inline, INLINE_BYTES, inline.size - INLINE_BYTES));
    return;
  }
  const extents = fileExtents(layout, inode);
  const bytes = extents.reduce((sum, extent) => sum + extent.bytes, 0);
  if (Math.max(bytes, inode.size) > FOLDER_BYTES_MAX) throw new Damaged("is a folder larger than any can be");
  yield* recordsIn(layout, extentSource(layout.source, extents, bytes));
  if (bytes > inode.size)
    throw new Damaged(`is a folder of ${inode.size} bytes by its inode and of ${bytes} by its blocks`);
}

function* recordsIn(layout: ExtLayout, bytes: Source): Generator<{ name: Buffer; inode: number }> {
  for (let from = 0; from < bytes.size; from += layout.block) {
    const block = bytes.read(from, Math.min(layout.block, bytes.size - from));
    for (let at = 0; at + 8 <= block.length; ) {
      const raw = block.readUInt16LE(at + 4);
      const length = raw === 0xffff || raw === 0 ? block.length - at : raw;
      const letters = block[at + 6]!;
      if (length < 8 || at + length > block.length) throw new Damaged("is a folder with a record that ends outside it");
      const number = block.readUInt32LE(at);
      const name = Buffer.from(block.subarray(at + 8, at + 8 + letters));
      if (number !== 0 && letters > 0) {
        if (8 + letters > length) throw new Damaged("is a folder with a name that ends outside its record");
        if (!isDots(name)) yield { name, inode: number };
      }
      at += length;
    }
  }
}

const isDots = (name: Buffer): boolean =>
  (name.length === 1 && name[0] === 0x2e) || (name.length === 2 && name.equals(Buffer.from("..")));
