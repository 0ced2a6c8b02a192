/** exFAT (Microsoft's "exFAT file system specification"). */
import { addExtent, Damaged, type Extent, extentSource, type Source, u64 } from "../source.ts";
import { type Bounds, brokenFolder, type Entry, fileEntry, join, reason, utf16le, type Volume } from "../volume.ts";

const FOLDER_BYTES_MAX = 256 * 1024 * 1024;
/** A folder's bytes are read at most this many at a time. */
const CHUNK_BYTES = 1024 * 1024;
const FILE = 0x85;
const STREAM = 0xc0;
const NAME = 0xc1;

type Layout = { source: Source; cluster: number; fatAt: number; fatBytes: number; heapAt: number; clusters: number };

export function exfat(source: Source): Volume | null {
  if (source.size < 512) return null;
  const boot = source.read(0, 512);
  if (boot.toString("latin1", 3, 11) !== "EXFAT   ") return null;
  const sectorShift = boot[108]!;
  const clusterShift = sectorShift + boot[109]!;
  if (sectorShift < 9 || sectorShift > 12 || clusterShift > 25) {
    const problem = "the boot sector's sizes make no sense";
    return { fileSystem: "exfat", bytes: source.size, problem, entries: function* () {} };
  }
  const bytes = u64(boot, 72) * 2 ** sectorShift;
  const fatBytes = boot.readUInt32LE(84) * 2 ** sectorShift;
  const second = boot[110] === 2 && (boot.readUInt16LE(106) & 1) === 1 ? fatBytes : 0;
  const layout: Layout = {
    source,
    cluster: 2 ** clusterShift,
    fatAt: boot.readUInt32LE(80) * 2 ** sectorShift + second,
    fatBytes,
    heapAt: boot.readUInt32LE(88) * 2 ** sectorShift,
    clusters: boot.readUInt32LE(92),
  };
  return {
    fileSystem: "exfat",
    bytes,
    ...(bytes > source.size ? { problem: `the file system claims ${bytes} bytes, the medium has ${source.size}` } : {}),
    entries: (bounds) => walk(layout, boot.readUInt32LE(96), bounds),
  };
}

/** @throws Damaged where the chain leaves the heap or circles */
function extents(layout: Layout, first: number, bytes: number | null, contiguous: boolean): Extent[] {
  const runs: Extent[] = [];
  const most = Math.ceil((bytes ?? FOLDER_BYTES_MAX) / layout.cluster);
  const inside = (cluster: number) => cluster >= 2 && cluster < layout.clusters + 2;
  const place = (cluster: number) => layout.heapAt + (cluster - 2) * layout.cluster;
  if (contiguous && most > 0) {
    if (!inside(first) || !inside(first + most - 1)) throw new Damaged(`names cluster ${first} of ${layout.clusters}`);
    return [{ from: place(first), bytes: most * layout.cluster }];
  }
  let cluster = first;
  for (let at = 0; at < most; at++) {
    if (!inside(cluster)) throw new Damaged(`names cluster ${cluster} of ${layout.clusters}`);
    if (at > layout.clusters) throw new Damaged("has a chain of clusters that runs in a circle");
    addExtent(runs, place(cluster), layout.cluster);
    if (at + 1 === most) break;
    if (cluster * 4 + 4 > layout.fatBytes) throw new Damaged("names a cluster beyond the allocation table");
    cluster = layout.source.read(layout.fatAt + cluster * 4, 4).readUInt32LE(0);
    if (cluster >= 0xffff_fff8) break;
  }
  return runs;
}

type Folder = { path: Buffer; cluster: number; bytes: number | null; contiguous: boolean; depth: number };

function* walk(layout: Layout, root: number, bounds: Bounds): Generator<Entry> {
  const seen = new Set<number>();
  const folders: Folder[] = [{ path: Buffer.alloc(0), cluster: root, bytes: null, contiguous: false, depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    try {
      if (folder.bytes === 0) continue;
      if (seen.has(folder.cluster)) throw new Damaged("is a folder that is listed twice or holds itself");
      seen.add(folder.cluster);
      if (folder.bytes !== null && folder.bytes > FOLDER_BYTES_MAX)
        throw new Damaged("is a folder larger than any can be");
      const runs = extents(layout, folder.cluster, folder.bytes, folder.contiguous);
      const size = folder.bytes ?? runs.reduce((sum, run) => sum + run.bytes, 0);
      for (const item of items(extentSource(layout.source, runs, size))) {
        bounds.take();
        const path = join(folder.path, item.name, folder.depth);
        if (item.folder) {
          const { cluster, size: bytes, contiguous } = item;
          folders.push({ path, cluster, bytes, contiguous, depth: folder.depth + 1 });
          yield { path, kind: "folder", size: 0, content: null };
        } else {
          yield fileEntry(path, item.size, () => content(layout, item), item.problem);
        }
      }
    } catch (error) {
      yield brokenFolder(folder.path, reason(error));
    }
  }
}

/** What lies past the valid length reads as zeros, whatever the clusters hold. */
function content(layout: Layout, item: Item): Source {
  const all = extentSource(layout.source, extents(layout, item.cluster, item.size, item.contiguous), item.size);
  if (item.valid > item.size) throw new Damaged("is said to be valid beyond its end");
  if (item.valid === item.size) return all;
  return extentSource(all, [{ from: 0, bytes: item.valid }], item.size, true);
}

type Item = {
  name: Buffer;
  folder: boolean;
  cluster: number;
  size: number;
  valid: number;
  contiguous: boolean;
  problem?: string;
};

/** A file is a set of records: itself, its stream, its name in pieces; others may follow and count in the checksum. */
function* items(folder: Source): Generator<Item> {
  let set: Buffer[] = [];
  let wanted = 0;
  for (let from = 0; from < folder.size; from += CHUNK_BYTES) {
    const bytes = folder.read(from, Math.min(CHUNK_BYTES, folder.size - from));
    for (let at = 0; at + 32 <= bytes.length; at += 32) {
      const record = bytes.subarray(at, at + 32);
      const type = record[0]!;
      if (type === FILE) {
        set = [record];
        wanted = record[1]!;
      } else if (type >= STREAM && set.length > 0) set.push(record);
      else set = [];
      if (set.length > 0 && set.length === wanted + 1) {
        const item = fromSet(set);
        set = [];
        if (item) yield item;
      }
    }
  }
}

function fromSet(set: Buffer[]): Item | null {
  const [file, stream] = set;
  if (!file || stream?.[0] !== STREAM) return null;
  const names = set.slice(2).filter((record) => record[0] === NAME);
  const letters = stream[3]!;
  const name = utf16le(Buffer.concat(names.map((record) => record.subarray(2, 32))).subarray(0, letters * 2));
  const whole = names.length * 15 >= letters && checksum(set) === file.readUInt16LE(2);
  return {
    name,
    folder: (file.readUInt16LE(4) & 0x10) !== 0,
    cluster: stream.readUInt32LE(20),
    size: u64(stream, 24),
    valid: u64(stream, 8),
    contiguous: (stream[1]! & 2) !== 0,
    ...(whole ? {} : { problem: "has a folder entry whose checksum is wrong" }),
  };
}

function checksum(set: Buffer[]): number {
  let sum = 0;
  for (const [index, record] of set.entries()) {
    for (let at = 0; at < 32; at++) {
      if (index === 0 && (at === 2 || at === 3)) continue;
      sum = ((((sum & 1) << 15) | (sum >> 1)) + record[at]!) & 0xffff;
    }
  }
  return sum;
}
