/** FAT12, FAT16 and FAT32 (Microsoft's "FAT32 File System Specification", 1.03), as forgiving as Linux is, so that what
 *  a guest would show is listed: entries behind the end mark too. */
import { Damaged, type Extent, extentSource, type Source, slice } from "../source.ts";
import { type Bounds, brokenFolder, type Entry, fileEntry, join, powerOfTwo, reason, type Volume } from "../volume.ts";
import { chain, counted, type Next } from "./chain.ts";
import { folderItems } from "./fat-names.ts";

/** A folder holds at most 65,536 entries of 32 bytes. */
const FOLDER_BYTES_MAX = 65_536 * 32;

type Layout = {
  source: Source;
  bits: 12 | 16 | 32;
  cluster: number;
  fatAt: number;
  fatBytes: number;
  dataAt: number;
  clusters: number;
  /** FAT12 and 16 keep the root folder in a place of its own. */
  root: { at: number; bytes: number } | { cluster: number };
};

export function fat(source: Source): Volume | null {
  if (source.size < 512) return null;
  const boot = source.read(0, 512);
  const sector = boot.readUInt16LE(11);
  const perCluster = boot[13]!;
  const reserved = boot.readUInt16LE(14);
  const fats = boot[16]!;
  const media = boot[21]!;
  if (!powerOfTwo(sector) || sector < 512 || sector > 4096 || !powerOfTwo(perCluster)) return null;
  if (reserved === 0 || fats === 0 || (media !== 0xf0 && media < 0xf8)) return null;

  const rootEntries = boot.readUInt16LE(17);
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const fatSectors16 = boot.readUInt16LE(22);
  const fatSectors = fatSectors16 || boot.readUInt32LE(36);
  const rootBytes = Math.ceil((rootEntries * 32) / sector) * sector;
  const rootAt = (reserved + fats * fatSectors) * sector;
  const dataAt = rootAt + rootBytes;
  const clusters = Math.floor((sectors * sector - dataAt) / (perCluster * sector));
  if (fatSectors === 0 || (clusters < 1 && sectors * sector >= dataAt)) return null;
  if (clusters < 1) return { fileSystem: "fat", bytes: 0, problem: TOO_FEW, entries: function* () {} };

  const bits = fatSectors16 === 0 ? 32 : clusters > FAT12_MAX ? 16 : 12;
  const layout: Layout = {
    source,
    bits,
    cluster: perCluster * sector,
    fatAt: reserved * sector,
    fatBytes: fatSectors * sector,
    dataAt,
    clusters,
    root: bits === 32 ? { cluster: boot.readUInt32LE(44) } : { at: rootAt, bytes: rootBytes },
  };
  const bytes = sectors * sector;
  const problem = problemOf(boot, layout, bytes);
  const label = boot.toString("latin1", bits === 32 ? 71 : 43, bits === 32 ? 82 : 54).trimEnd();
  return {
    fileSystem: `fat${bits}`,
    bytes,
    contentFrom: bits === 32 ? dataAt : rootAt,
    ...(/^[\x21-\x7e][\x20-\x7e]*$/.test(label) && label !== "NO NAME" ? { label } : {}),
    ...(problem === null ? {} : { problem }),
    entries: (bounds) => walk(layout, bounds),
  };
}

/** Linux counts on below zero, and takes as many clusters as its tables have room for. */
const TOO_FEW = "a FAT that says it has fewer sectors than its tables take, which some systems read all the same";

function problemOf(boot: Buffer, { source, bits, clusters }: Layout, bytes: number): string | null {
  const rootBytes = boot.readUInt16LE(17) * 32;
  if (bytes > source.size) return `the file system claims ${bytes} bytes, the medium has ${source.size}`;
  if (bits === 32 && (boot.readUInt16LE(40) & 0x80) !== 0 && (boot.readUInt16LE(40) & 0xf) !== 0)
    return "it says that another allocation table than its first one counts, which not every system heeds";
  if (bits !== 32 && clusters > FAT12_MAX && clusters < FAT16_MIN)
    return `with ${clusters} clusters it is FAT12 to some systems and FAT16 to others`;
  if (bits === 32 ? rootBytes > 0 : rootBytes % boot.readUInt16LE(11) !== 0)
    return "its root folder's size is one with which systems find its clusters in different places";
  return null;
}
/** Linux has more as FAT16, GRUB one more and Windows two more as FAT12. */
const FAT12_MAX = 4084;
const FAT16_MIN = 4087;

/** Next cluster, or null at the chain's end. The table is read in windows: it may be far larger than memory. */
function chainReader(layout: Layout): Next {
  const WINDOW = 65_536;
  let windowAt = -1;
  let window: Buffer = Buffer.alloc(0);
  const bytes = (at: number, length: number): Buffer => {
    if (at + length > layout.fatBytes) throw new Damaged("names a cluster beyond the allocation table");
    if (windowAt < 0 || at < windowAt || at + length > windowAt + window.length) {
      windowAt = at - (at % 4_096);
      const end = Math.min(layout.fatBytes, windowAt + WINDOW);
      window = layout.source.read(layout.fatAt + windowAt, end - windowAt);
    }
    return window.subarray(at - windowAt, at - windowAt + length);
  };
  const end = { 12: 0xff8, 16: 0xfff8, 32: 0x0fff_fff8 }[layout.bits];
  const entry = (cluster: number): number => {
    switch (layout.bits) {
      case 32:
        return bytes(cluster * 4, 4).readUInt32LE(0) & 0x0fff_ffff;
      case 16:
        return bytes(cluster * 2, 2).readUInt16LE(0);
      case 12:
        return (bytes(cluster + (cluster >> 1), 2).readUInt16LE(0) >> (cluster & 1 ? 4 : 0)) & 0xfff;
    }
  };
  return (cluster) => {
    const next = entry(cluster);
    return next >= end ? null : next;
  };
}

function place(layout: Layout, cluster: number): number {
  if (cluster < 2 || cluster >= layout.clusters + 2)
    throw new Damaged(`names cluster ${cluster} of ${layout.clusters}`);
  return layout.dataAt + (cluster - 2) * layout.cluster;
}

/** The extents of a chain, at most `count` clusters of it. */
function follow(layout: Layout, next: Next, first: number, count: number): Extent[] {
  if (count > layout.clusters) throw new Damaged(`is said to have ${count} clusters of ${layout.clusters}`);
  return chain(first, count, next, (cluster) => place(layout, cluster), layout.cluster);
}

/** @param left how many bytes the medium has for this and all further folders */
function folderBytes(layout: Layout, next: Next, first: number, left: number): Buffer {
  const seen = new Set<number>();
  const most = Math.ceil(FOLDER_BYTES_MAX / layout.cluster) + 1;
  const parts: Buffer[] = [];
  for (let cluster: number | null = first; cluster !== null; cluster = next(cluster)) {
    if (seen.has(cluster)) throw new Damaged("is a folder that runs in a circle");
    if (seen.size >= most) throw new Damaged("is a folder larger than any can be");
    seen.add(cluster);
    if (seen.size * layout.cluster > left)
      throw new Damaged("is a folder for which there is no room beside the others");
    parts.push(layout.source.read(place(layout, cluster), layout.cluster));
  }
  return Buffer.concat(parts);
}

type Folder = { path: Buffer; cluster: number | null; depth: number };

function* walk(layout: Layout, bounds: Bounds): Generator<Entry> {
  const next = chainReader(layout);
  const nextOfFile = counted(next, Math.min(layout.clusters, (layout.source.size * 8) / layout.bits));
  const seen = new Set<number>();
  let left = layout.source.size;
  const { root } = layout;
  const folders: Folder[] = [{ path: Buffer.alloc(0), cluster: "cluster" in root ? root.cluster : null, depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    try {
      if (folder.cluster !== null) {
        if (seen.has(folder.cluster)) throw new Damaged("is a folder that is listed twice or holds itself");
        seen.add(folder.cluster);
      }
      const bytes =
        folder.cluster !== null
          ? folderBytes(layout, next, folder.cluster, left)
          : "at" in root
            ? slice(layout.source, root.at, root.bytes).read(0, root.bytes)
            : Buffer.alloc(0);
      left -= bytes.length;
      for (const item of folderItems(bytes, layout.bits)) {
        bounds.take();
        const path = join(folder.path, item.name, folder.depth);
        if (item.folder) {
          folders.push({ path, cluster: item.cluster, depth: folder.depth + 1 });
          if (item.problem === undefined) yield { path, kind: "folder", size: 0, content: null };
          else yield brokenFolder(path, item.problem);
          continue;
        }
        const count = Math.ceil(item.size / layout.cluster);
        const content = () => extentSource(layout.source, follow(layout, nextOfFile, item.cluster, count), item.size);
        yield fileEntry(path, item.size, content, item.problem);
      }
    } catch (error) {
      yield brokenFolder(folder.path, reason(error));
    }
  }
}
