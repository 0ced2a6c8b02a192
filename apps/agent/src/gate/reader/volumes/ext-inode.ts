/** An ext inode: where it lies, and where its content lies (extent tree, block map, or inside the inode itself). */
import { addExtent, bytesSource, Damaged, type Extent, type Source } from "../source.ts";

export type ExtLayout = {
  source: Source;
  /** Bytes. */
  block: number;
  inodes: number;
  inodesPerGroup: number;
  blocksPerGroup: number;
  inodeBytes: number;
  descriptorBytes: number;
  /** Where the first group begins. */
  firstBlock: number;
  /** First meta group whose descriptors lie in the group itself; null where none do. */
  metaFrom: number | null;
  /** Which groups hold a copy of the superblock, beside the first. */
  copies: "all" | "sparse" | number[];
  /** Whether files may lie inside their inodes, and have extent trees. */
  inline: boolean;
  extents: boolean;
};

export type Inode = { mode: number; size: number; flags: number; block: Buffer; raw: Buffer };

const EXTENTS = 0x8_0000;
const INLINE = 0x1000_0000;
/** Blocks of an extent tree or block map that are read for one file. */
const NODES_MAX = 200_000;
/** Runs of one file. */
const EXTENTS_MAX = 2_000_000;

const isFolder = ({ mode }: { mode: number }): boolean => mode >> 12 === 4;

/** @throws Damaged, RangeError */
export function readInode(layout: ExtLayout, number: number): Inode {
  if (number < 1 || number > layout.inodes) throw new Damaged(`names inode ${number} of ${layout.inodes}`);
  const group = Math.floor((number - 1) / layout.inodesPerGroup);
  const descriptor = layout.source.read(descriptorAt(layout, group), layout.descriptorBytes);
  const high = layout.descriptorBytes >= 64 ? descriptor.readUInt32LE(40) * 0x1_0000_0000 : 0;
  const table = (descriptor.readUInt32LE(8) + high) * layout.block;
  const raw = layout.source.read(table + ((number - 1) % layout.inodesPerGroup) * layout.inodeBytes, layout.inodeBytes);
  const mode = raw.readUInt16LE(0);
  const folder = isFolder({ mode });
  const size = raw.readUInt32LE(4) + raw.readUInt32LE(108) * 0x1_0000_0000;
  if (!Number.isSafeInteger(size)) throw new Damaged("is said to be larger than any medium");
  return {
    mode,
    size: folder ? Math.min(size, 2 ** 40) : size,
    flags: raw.readUInt32LE(32),
    block: raw.subarray(40, 100),
    raw,
  };
}

/** The superblock is at byte 1,024, so in the second block where those are of 1 KiB, and the descriptors are behind it. */
export const superblockIn = (block: number): number => (block === 1024 ? 1 : 0);

function descriptorAt(layout: ExtLayout, group: number): number {
  const perBlock = layout.block / layout.descriptorBytes;
  const index = Math.floor(group / perBlock);
  if (layout.metaFrom === null || index < layout.metaFrom) {
    return (superblockIn(layout.block) + 1) * layout.block + group * layout.descriptorBytes;
  }
  const first = index * perBlock;
  // with clusters of blocks the first group begins at block 0, before the superblock's
  const before = first === 0 && layout.firstBlock < superblockIn(layout.block) ? 1 : 0;
  const start = layout.firstBlock + first * layout.blocksPerGroup + before + (hasSuperblock(layout, first) ? 1 : 0);
  return start * layout.block + (group % perBlock) * layout.descriptorBytes;
}

function hasSuperblock({ copies }: ExtLayout, group: number): boolean {
  if (group === 0 || copies === "all") return true;
  if (copies !== "sparse") return copies.includes(group);
  return (
    group === 1 ||
    [3, 5, 7].some((base) => {
      let power = base;
      while (power < group) power *= base;
      return power === group;
    })
  );
}

/** A small file's content may lie in the inode: 60 bytes, and more in the attribute `system.data` behind it. Linux goes by
 *  the attribute, others by the flag.
 *  @throws Damaged where these disagree */
export function inlineContent(layout: ExtLayout, inode: Inode): Source | null {
  if ((inode.flags & INLINE) === 0) return null;
  const more = inlineTail(inode.raw);
  if (more === null || !layout.inline || (inode.flags & EXTENTS) !== 0)
    throw new Damaged("lies inside its inode to some systems and outside of it to others");
  const bytes = Buffer.concat([inode.block, more]);
  if (bytes.length < inode.size)
    throw new Damaged(`is said to have ${inode.size} bytes inside an inode that holds ${bytes.length}`);
  // a folder is all that is there, whatever its size
  return bytesSource(isFolder(inode) ? bytes : bytes.subarray(0, inode.size));
}

/** As many of its bytes as lie in the inode's own field. */
export const INLINE_BYTES = 60;

/** Null where there is no such attribute. */
function inlineTail(raw: Buffer): Buffer | null {
  const extra = raw.length > 130 ? raw.readUInt16LE(128) : 0;
  const at = 128 + extra;
  if (extra === 0 || at + 4 > raw.length || raw.readUInt32LE(at) !== 0xea02_0000) return null;
  const first = at + 4;
  for (let entry = first; entry + 16 <= raw.length && raw.readUInt32LE(entry) !== 0; ) {
    const letters = raw[entry]!;
    const name = raw.toString("latin1", entry + 16, entry + 16 + letters);
    if (raw[entry + 1] === 7 && name === "data") {
      const from = first + raw.readUInt16LE(entry + 2);
      const bytes = raw.readUInt32LE(entry + 8);
      if (raw.readUInt32LE(entry + 4) !== 0 || from + bytes > raw.length) return null;
      return raw.subarray(from, from + bytes);
    }
    entry += 16 + ((letters + 3) & ~3);
  }
  return null;
}

/** In file order, holes named; a folder's are all that it has, whatever its size.
 *  @throws Damaged where the map is longer than any real one, or runs backwards */
export function fileExtents(layout: ExtLayout, inode: Inode): Extent[] {
  const folder = isFolder(inode);
  const map = new Map64(layout.block, folder ? Number.POSITIVE_INFINITY : Math.ceil(inode.size / layout.block), folder);
  let nodes = 0;
  const node = (block: number): Buffer => {
    nodes += 1;
    if (nodes > NODES_MAX) throw new Damaged("has a map of blocks longer than any real one");
    return layout.source.read(block * layout.block, layout.block);
  };
  if ((inode.flags & EXTENTS) !== 0 && !layout.extents)
    throw new Damaged("has an extent tree, of which its file system has none");
  if (inode.flags & EXTENTS) extentTree(inode.block, map, node, 5, null, Number.POSITIVE_INFINITY);
  else blockMap(layout, inode, map, node);
  return map.extents;
}

/** Collects runs of blocks in order. */
class Map64 {
  readonly extents: Extent[] = [];
  private next = 0;
  private readonly block: number;
  readonly blocks: number;
  private readonly folder: boolean;
  constructor(block: number, blocks: number, folder: boolean) {
    this.block = block;
    this.blocks = blocks;
    this.folder = folder;
  }
  /** Set aside and not written: it reads as zeros, but Linux reads a folder as it lies there. */
  unwritten(logical: number, count: number): void {
    if (this.folder) throw new Damaged("is a folder in blocks that are marked as not written");
    this.add(logical, null, count);
  }
  add(logical: number, physical: number | null, count: number): void {
    if (logical < this.next) throw new Damaged("has a map of blocks that runs backwards");
    if (logical >= this.blocks) {
      this.next = logical + count;
      return;
    }
    if (this.extents.length > EXTENTS_MAX) throw new Damaged("is in more pieces than any real file");
    if (logical > this.next) addExtent(this.extents, null, (logical - this.next) * this.block);
    const take = Math.min(count, this.blocks - logical);
    addExtent(this.extents, physical === null ? null : physical * this.block, take * this.block);
    this.next = logical + take;
  }
}

/** `from`: where it begins by what leads to it; `until`: where what comes next does. Some systems look for a block by these
 *  alone, and others at what is there.
 *  @throws Damaged where the two disagree */
function extentTree(
  bytes: Buffer,
  map: Map64,
  node: (block: number) => Buffer,
  depthLeft: number,
  from: number | null,
  until: number,
): void {
  if (bytes.readUInt16LE(0) !== 0xf30a) throw new Damaged("has an extent tree without its mark");
  const count = bytes.readUInt16LE(2);
  const depth = bytes.readUInt16LE(6);
  if (depth > depthLeft) throw new Damaged("has an extent tree deeper than any real one");
  const end = 12 + count * 12;
  if (from !== null && count > 0 && bytes.readUInt32LE(12) !== from) throw new Damaged(BENT);
  for (let at = 12; at < end; at += 12) {
    const logical = bytes.readUInt32LE(at);
    if (depth > 0) {
      const child = bytes.readUInt32LE(at + 4) + bytes.readUInt16LE(at + 8) * 0x1_0000_0000;
      extentTree(node(child), map, node, depth - 1, logical, at + 12 < end ? bytes.readUInt32LE(at + 12) : until);
      continue;
    }
    const marked = bytes.readUInt16LE(at + 4);
    const length = marked > UNWRITTEN ? marked - UNWRITTEN : marked;
    if (logical + length > until) throw new Damaged(BENT);
    if (marked > UNWRITTEN) map.unwritten(logical, length);
    else map.add(logical, bytes.readUInt32LE(at + 8) + bytes.readUInt16LE(at + 6) * 0x1_0000_0000, length);
  }
}

/** A length above this one marks blocks set aside and not written. */
const UNWRITTEN = 32_768;
const BENT = "has an extent tree whose parts lie elsewhere than it says";

function blockMap(layout: ExtLayout, inode: Inode, map: Map64, node: (block: number) => Buffer): void {
  const per = layout.block / 4;
  const visit = (block: number, logical: number, depth: number): void => {
    if (block === 0 || logical >= map.blocks) return;
    if (depth === 0) {
      map.add(logical, block, 1);
      return;
    }
    const span = per ** (depth - 1);
    const pointers = node(block);
    for (let index = 0; index < per; index++)
      visit(pointers.readUInt32LE(index * 4), logical + index * span, depth - 1);
  };
  for (let index = 0; index < 12; index++) visit(inode.block.readUInt32LE(index * 4), index, 0);
  let logical = 12;
  for (let depth = 1; depth <= 3; depth++) {
    visit(inode.block.readUInt32LE((11 + depth) * 4), logical, depth);
    logical += per ** depth;
  }
}
