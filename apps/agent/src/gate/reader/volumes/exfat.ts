/** exFAT (Microsoft's "exFAT file system specification"). */
import { addExtent, Damaged, type Extent, extentSource, type Source, slice, u64 } from "../source.ts";
import { type Bounds, brokenFolder, type Entry, fileEntry, join, reason, utf16le, type Volume } from "../volume.ts";
import { chain, counted, type Next } from "./chain.ts";

const FOLDER_BYTES_MAX = 256 * 1024 * 1024;
/** A folder's bytes are read at most this many at a time. */
const CHUNK_BYTES = 1024 * 1024;
const FILE = 0x85;
const STREAM = 0xc0;
const NAME = 0xc1;
/** Itself and as many others as its count can say. */
const SET_RECORDS_MAX = 256;
/** Flags of a stream. */
const ALLOCATED = 1;
const CONTIGUOUS = 2;

type Layout = {
  source: Source;
  cluster: number;
  fatAt: number;
  fatBytes: number;
  heapAt: number;
  /** No more than the medium has. */
  clusters: number;
};

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
  const problem =
    bytes > source.size
      ? `the file system claims ${bytes} bytes, the medium has ${source.size}`
      : second > 0
        ? "it says that another allocation table than its first one counts, which not every system heeds"
        : undefined;
  const cluster = 2 ** clusterShift;
  const heapAt = boot.readUInt32LE(88) * 2 ** sectorShift;
  const layout: Layout = {
    source,
    cluster,
    fatAt: boot.readUInt32LE(80) * 2 ** sectorShift + second,
    fatBytes,
    heapAt,
    clusters: Math.min(boot.readUInt32LE(92), Math.max(0, Math.floor((source.size - heapAt) / cluster))),
  };
  return {
    fileSystem: "exfat",
    bytes,
    ...(problem === undefined ? {} : { problem }),
    entries: (bounds) => walk(layout, boot.readUInt32LE(96), bounds),
  };
}

function place(layout: Layout, cluster: number): number {
  if (cluster < 2 || cluster >= layout.clusters + 2)
    throw new Damaged(`names cluster ${cluster} of ${layout.clusters}`);
  return layout.heapAt + (cluster - 2) * layout.cluster;
}

/** The table is read in windows: it may be far larger than memory. */
function chainReader(layout: Layout): Next {
  const WINDOW = 65_536;
  let windowAt = 0;
  let window: Buffer = Buffer.alloc(0);
  return (cluster) => {
    const at = cluster * 4;
    if (at + 4 > layout.fatBytes) throw new Damaged("names a cluster beyond the allocation table");
    if (at < windowAt || at + 4 > windowAt + window.length) {
      windowAt = at - (at % 4_096);
      window = layout.source.read(layout.fatAt + windowAt, Math.min(WINDOW, layout.fatBytes - windowAt));
    }
    const found = window.readUInt32LE(at - windowAt);
    return found >= 0xffff_fff8 ? null : found;
  };
}

function row(layout: Layout, first: number, clusters: number): Extent[] {
  if (clusters === 0) return [];
  place(layout, first + clusters - 1);
  return [{ from: place(layout, first), bytes: clusters * layout.cluster }];
}

/** @throws Damaged where the chain leaves the heap or circles */
function extents(layout: Layout, next: Next, { cluster: first, size, contiguous }: Item): Extent[] {
  const count = Math.ceil(size / layout.cluster);
  if (count > layout.clusters) throw new Damaged(`is said to have ${count} clusters of ${layout.clusters}`);
  if (contiguous) return row(layout, first, count);
  return chain(first, count, next, (cluster) => place(layout, cluster), layout.cluster);
}

/** `bytes`: as its own entry says; null for the root, which has none. */
type Folder = { path: Buffer; cluster: number; bytes: number | null; contiguous: boolean; depth: number };

/** Some systems read a folder to the end of its chain, whatever size it has; what there is of it is read, with what is
 *  wrong beside it. */
function folderExtents(layout: Layout, next: Next, folder: Folder): { runs: Extent[]; problem?: string } {
  const { cluster, bytes, contiguous } = folder;
  if (bytes !== null && bytes > FOLDER_BYTES_MAX) throw new Damaged("is a folder larger than any can be");
  if (contiguous) {
    const runs = row(layout, cluster, Math.max(1, Math.ceil((bytes ?? 0) / layout.cluster)));
    return { runs, ...disagreement(bytes, runs) };
  }
  const runs: Extent[] = [];
  const seen = new Set<number>();
  try {
    for (let at: number | null = cluster; at !== null; at = next(at)) {
      if (seen.has(at)) throw new Damaged("is a folder that runs in a circle");
      if (seen.size * layout.cluster >= FOLDER_BYTES_MAX) throw new Damaged("is a folder larger than any can be");
      addExtent(runs, place(layout, at), layout.cluster);
      seen.add(at);
    }
  } catch (error) {
    return { runs, problem: reason(error) };
  }
  return { runs, ...disagreement(bytes, runs) };
}

function disagreement(bytes: number | null, runs: Extent[]): { problem?: string } {
  const found = runs.reduce((sum, run) => sum + run.bytes, 0);
  if (bytes === null || bytes === found) return {};
  return { problem: `is a folder of ${bytes} bytes by its entry and of ${found} by its clusters` };
}

function* walk(layout: Layout, root: number, bounds: Bounds): Generator<Entry> {
  const next = chainReader(layout);
  const nextOfFile = counted(next, Math.min(layout.clusters, layout.source.size / 4));
  let left = layout.source.size;
  const seen = new Set<number>();
  const folders: Folder[] = [{ path: Buffer.alloc(0), cluster: root, bytes: null, contiguous: false, depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    try {
      if (folder.bytes === 0 && folder.cluster === 0) continue;
      if (seen.has(folder.cluster)) throw new Damaged("is a folder that is listed twice or holds itself");
      seen.add(folder.cluster);
      const { runs, problem } = folderExtents(layout, next, folder);
      const size = runs.reduce((sum, run) => sum + run.bytes, 0);
      left -= size;
      if (left < 0) throw new Damaged("is a folder for which there is no room beside the others");
      for (const item of items(extentSource(layout.source, runs, size))) {
        bounds.take();
        const path = join(folder.path, item.name, folder.depth);
        if (item.folder) {
          const { cluster, contiguous } = item;
          folders.push({ path, cluster, bytes: item.size, contiguous, depth: folder.depth + 1 });
          if (item.problem === undefined) yield { path, kind: "folder", size: 0, content: null };
          else yield brokenFolder(path, item.problem);
        } else {
          yield* readings(layout, nextOfFile, path, item);
        }
      }
      if (problem !== undefined) yield brokenFolder(folder.path, problem);
    } catch (error) {
      yield brokenFolder(folder.path, reason(error));
    }
  }
}

/** What lies past the valid length are zeros to Windows and to Linux from 6.8 on, the file ends there to Linux before that,
 *  and exFAT for FUSE (before 1.4) and GRUB read what the clusters hold. */
function* readings(layout: Layout, next: Next, path: Buffer, item: Item): Generator<Entry> {
  const { size, valid } = item;
  const whole = (): Source => {
    if (valid > size) throw new Damaged("is said to be valid beyond its end");
    return extentSource(layout.source, extents(layout, next, item), size);
  };
  const entry = fileEntry(path, size, whole, item.problem);
  const { content } = entry;
  if (content === null || valid === size) {
    yield entry;
    return;
  }
  yield { ...entry, content: extentSource(content, [{ from: 0, bytes: valid }], size, true) };
  if (valid > 0) yield { ...entry, size: valid, content: slice(content, 0, valid) };
  if (!endsInZeros(content, valid)) yield entry;
}

/** As far as is worth a look. */
function endsInZeros(source: Source, from: number): boolean {
  const rest = source.size - from;
  if (rest > ZEROS_BYTES_MAX) return false;
  for (let at = from; at < source.size; at += CHUNK_BYTES)
    if (source.read(at, Math.min(CHUNK_BYTES, source.size - at)).some((byte) => byte !== 0)) return false;
  return true;
}
const ZEROS_BYTES_MAX = 16 * CHUNK_BYTES;

type Item = {
  name: Buffer;
  folder: boolean;
  cluster: number;
  size: number;
  valid: number;
  contiguous: boolean;
  problem?: string;
};

/** A file is a set of records: itself, its stream, its name in pieces; others may follow and count in the checksum. A set
 *  that is not whole is told: some systems open its file all the same. Behind the folder's end nobody reads, and what
 *  happens to be whole there is listed. */
function* items(folder: Source): Generator<Item> {
  let set: Buffer[] = [];
  let more = 0;
  let ended = false;
  function* finish(): Generator<Item> {
    const wanted = set.length > 0 ? set[0]![1]! + 1 : 0;
    if (set.length > 0 && (!ended || set.length + more === wanted)) yield fromSet(set, set.length + more === wanted);
    set = [];
    more = 0;
  }
  for (let from = 0; from < folder.size; from += CHUNK_BYTES) {
    const bytes = folder.read(from, Math.min(CHUNK_BYTES, folder.size - from));
    for (let at = 0; at + 32 <= bytes.length; at += 32) {
      const record = bytes.subarray(at, at + 32);
      const type = record[0]!;
      if (type >= STREAM && set.length > 0) {
        if (set.length < SET_RECORDS_MAX) set.push(record);
        else more += 1;
        continue;
      }
      yield* finish();
      if (type === FILE) set = [record];
      ended ||= type === 0;
    }
  }
  yield* finish();
}

function fromSet(set: Buffer[], whole: boolean): Item {
  const [file, second] = set;
  const stream = second?.[0] === STREAM ? second : Buffer.alloc(32);
  const names = set.slice(2).filter((record) => record[0] === NAME);
  const letters = stream[3]!;
  const name = utf16le(Buffer.concat(names.map((record) => record.subarray(2, 32))).subarray(0, letters * 2));
  const folder = (file!.readUInt16LE(4) & 0x10) !== 0;
  const [size, valid] = [u64(stream, 24), u64(stream, 8)];
  // which of the two a folder goes by differs; the larger one holds the other
  const item = { folder, cluster: stream.readUInt32LE(20), size: folder ? Math.max(size, valid) : size, valid };
  const problem = problemOf(set, whole && stream === second && letters > 0 && names.length * 15 >= letters);
  return {
    name: name.length === 0 ? Buffer.from("$Nameless") : name,
    ...item,
    contiguous: (stream[1]! & CONTIGUOUS) !== 0,
    ...(problem === null ? {} : { problem }),
  };
}

function problemOf(set: Buffer[], whole: boolean): string | null {
  const [file, stream] = set;
  if (!whole) return `has a folder entry that is not whole (${set.length} records of ${file![1]! + 1})`;
  if (checksum(set) !== file!.readUInt16LE(2)) return "has a folder entry whose checksum is wrong";
  const flags = stream![1]!;
  if ((flags & CONTIGUOUS) !== 0 && flags !== (CONTIGUOUS | ALLOCATED))
    return `lies in a row of clusters to some systems and in a chain to others (flags 0x${flags.toString(16)})`;
  if ((file!.readUInt16LE(4) & 0x10) !== 0 && u64(stream!, 8) !== u64(stream!, 24))
    return "is a folder of which only a part is said to be valid";
  return null;
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
