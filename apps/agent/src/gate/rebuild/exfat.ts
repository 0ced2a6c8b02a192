/** A tree of files → a fresh exFAT volume (Microsoft's "exFAT file system specification" 1.00) behind an MBR of one
 *  partition. Everything lies in one run each; nothing of the old medium but the files' own bytes is in it. */
import type { TreeFolder } from "./tree.ts";

const SECTOR = 512;
const PARTITION_AT = 1024 * 1024;
const FAT_AT_SECTORS = 128;
const BOOT_SECTORS = 12;
const ENTRY = 32;
const NAME_UNITS_AN_ENTRY = 15;
const FOLDER_BYTES_MAX = 256 * 1024 * 1024;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export type Write = (at: number, bytes: Uint8Array) => void;
/** `at` is where the file's bytes belong in the image. */
export type Placed<T> = { file: T; size: number; at: number };
export type Layout<T> = {
  /** Bytes of the whole image. */
  bytes: number;
  files: Placed<T>[];
  /** Boot region, tables and folders; the rest of the image is zeros. */
  write(write: Write): void;
};
export type Stamp = { label: string; serial: number; timeMs: number };

/** One UTF-16 unit upper-cased, where that is one unit and letters beyond ASCII do not become ASCII. */
const upperUnit = (unit: number): number => {
  const text = String.fromCharCode(unit).toUpperCase();
  if (text.length !== 1 || (unit >= 0xd800 && unit <= 0xdfff)) return unit;
  const code = text.charCodeAt(0);
  return unit >= 0x80 && code < 0x80 ? unit : code;
};
const UPPER = Uint16Array.from({ length: 65_536 }, (_, unit) => upperUnit(unit));
/** The table as it is written: a run of units that stay themselves is 0xffff and its length, as the specification has it. */
const TABLE = compressed(UPPER);
/** As two names are compared. */
export const upper = (name: string): string => {
  const units = new Uint16Array(name.length);
  for (let at = 0; at < name.length; at++) units[at] = UPPER[name.charCodeAt(at)]!;
  return Buffer.from(units.buffer).toString("utf16le");
};

function compressed(units: Uint16Array): Uint8Array {
  const words: number[] = [];
  for (let at = 0; at < units.length; ) {
    let run = 0;
    while (run < 0xfffe && at + run < units.length && units[at + run] === at + run) run += 1;
    if (run > 2) words.push(0xffff, run);
    else {
      run = Math.max(run, 1);
      words.push(...units.subarray(at, at + run));
    }
    at += run;
  }
  return new Uint8Array(Uint16Array.from(words).buffer);
}

export const clusterBytes = (contentBytes: number): number =>
  contentBytes < 256 * MIB ? 4096 : contentBytes < 32 * GIB ? 32 * 1024 : 128 * 1024;

/** No image of so much content and so many names is longer: asked before one is made. */
export const imageBytesMax = (contentBytes: number, files: number): number => {
  const cluster = clusterBytes(contentBytes);
  const names = files * (ENTRY * 20 + 2 * cluster);
  const heap = contentBytes + files * cluster + names * 2 + 64 * cluster;
  return PARTITION_AT + MIB + heap + Math.ceil(heap / cluster) * 5 + TABLE.length;
};

export function exfatLayout<T>(root: TreeFolder<T>, contentBytes: number, stamp: Stamp): Layout<T> {
  const cluster = clusterBytes(contentBytes);
  const clustersOf = (bytes: number) => Math.ceil(bytes / cluster);
  const folders: { folder: TreeFolder<T>; first: number; clusters: number }[] = [];
  const files: { placed: Placed<T>; first: number }[] = [];
  const runs = new Map<object, { first: number; bytes: number }>();

  // the bitmap's length is in the count of clusters, and that in the bitmap's: count the rest first
  const setBytes = (name: string) => ENTRY * (2 + Math.ceil(name.length / NAME_UNITS_AN_ENTRY));
  const folderBytes = (folder: TreeFolder<T>, isRoot: boolean) => {
    const names = [...folder.folders, ...folder.files].reduce((sum, { name }) => sum + setBytes(name), 0);
    const bytes = names + (isRoot ? 3 * ENTRY : 0);
    if (bytes > FOLDER_BYTES_MAX) throw new RangeError(`a folder of ${bytes} bytes of names`);
    return Math.max(cluster, clustersOf(bytes) * cluster);
  };
  const walk: TreeFolder<T>[] = [root];
  for (let at = 0; at < walk.length; at++) for (const folder of walk[at]!.folders) walk.push(folder);
  let needed = clustersOf(TABLE.length);
  for (const folder of walk) {
    needed += folderBytes(folder, folder === root) / cluster;
    for (const { size } of folder.files) needed += clustersOf(size);
  }
  let clusters = needed + 1;
  while (clusters < needed + clustersOf(Math.ceil(clusters / 8)))
    clusters = needed + clustersOf(Math.ceil(clusters / 8));
  const bitmapBytes = Math.ceil(clusters / 8);

  let next = 2;
  const take = (bytes: number): number => {
    const first = next;
    next += clustersOf(bytes);
    return first;
  };
  const bitmapFirst = take(bitmapBytes);
  const upperFirst = take(TABLE.length);
  for (const folder of walk) {
    const bytes = folderBytes(folder, folder === root);
    const first = take(bytes);
    folders.push({ folder, first, clusters: bytes / cluster });
    runs.set(folder, { first, bytes });
  }
  const fatSectors = Math.ceil(((clusters + 2) * 4) / SECTOR);
  const perCluster = cluster / SECTOR;
  const heapSectors = Math.ceil((FAT_AT_SECTORS + fatSectors) / perCluster) * perCluster;
  const place = (number: number) => PARTITION_AT + heapSectors * SECTOR + (number - 2) * cluster;
  for (const folder of walk) {
    for (const each of folder.files) {
      const first = each.size === 0 ? 0 : take(each.size);
      runs.set(each, { first, bytes: each.size });
      files.push({ placed: { file: each.file, size: each.size, at: place(first) }, first });
    }
  }
  if (next - 2 > clusters) throw new Error(`${next - 2} clusters are used, ${clusters} were counted`);
  const volumeSectors = heapSectors + clusters * perCluster;
  const rootFirst = folders[0]!.first;

  return {
    bytes: PARTITION_AT + volumeSectors * SECTOR,
    files: files.map(({ placed }) => placed),
    write(write) {
      write(0, mbr(volumeSectors, stamp.serial));
      const boot = bootRegion({
        ...{ volumeSectors, fatSectors, heapSectors, clusters, rootFirst, serial: stamp.serial },
        clusterShift: Math.log2(perCluster),
        percent: Math.floor(((next - 2) * 100) / clusters),
      });
      write(PARTITION_AT, boot);
      write(PARTITION_AT + BOOT_SECTORS * SECTOR, boot);
      const fat = new Uint32Array(fatSectors * (SECTOR / 4));
      fat.set([0xffff_fff8, 0xffff_ffff]);
      const chain = (first: number, count: number) => {
        for (let at = 0; at < count; at++) fat[first + at] = at + 1 < count ? first + at + 1 : 0xffff_ffff;
      };
      chain(bitmapFirst, clustersOf(bitmapBytes));
      chain(upperFirst, clustersOf(TABLE.length));
      chain(rootFirst, folders[0]!.clusters);
      write(PARTITION_AT + FAT_AT_SECTORS * SECTOR, new Uint8Array(fat.buffer));
      const bitmap = new Uint8Array(bitmapBytes);
      for (let used = 0; used < next - 2; used++) bitmap[used >> 3]! |= 1 << (used & 7);
      write(place(bitmapFirst), bitmap);
      write(place(upperFirst), TABLE);
      for (const { folder, first } of folders) {
        const own = folder === root ? rootEntries(stamp.label, bitmapFirst, bitmapBytes, upperFirst) : [];
        const sets = [
          ...folder.folders.map((each) => entrySet(each.name, 0x10, runs.get(each)!, stamp.timeMs)),
          ...folder.files.map((each) => entrySet(each.name, 0x20, runs.get(each)!, stamp.timeMs)),
        ];
        write(place(first), Buffer.concat([...own, ...sets]));
      }
    },
  };
}

function mbr(volumeSectors: number, serial: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.writeUInt32LE(serial, 440);
  sector.set([0, 0xfe, 0xff, 0xff, 0x07, 0xfe, 0xff, 0xff], 446);
  sector.writeUInt32LE(PARTITION_AT / SECTOR, 454);
  sector.writeUInt32LE(Math.min(volumeSectors, 0xffff_ffff), 458);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

type Boot = {
  volumeSectors: number;
  fatSectors: number;
  heapSectors: number;
  clusters: number;
  rootFirst: number;
  serial: number;
  clusterShift: number;
  percent: number;
};

function bootRegion(at: Boot): Buffer {
  const region = Buffer.alloc(BOOT_SECTORS * SECTOR);
  region.set([0xeb, 0x76, 0x90]);
  region.write("EXFAT   ", 3, "latin1");
  region.writeBigUInt64LE(BigInt(PARTITION_AT / SECTOR), 64);
  region.writeBigUInt64LE(BigInt(at.volumeSectors), 72);
  region.writeUInt32LE(FAT_AT_SECTORS, 80);
  region.writeUInt32LE(at.fatSectors, 84);
  region.writeUInt32LE(at.heapSectors, 88);
  region.writeUInt32LE(at.clusters, 92);
  region.writeUInt32LE(at.rootFirst, 96);
  region.writeUInt32LE(at.serial, 100);
  region.writeUInt16LE(0x0100, 104);
  region.set([9, at.clusterShift, 1, 0x80, at.percent], 108);
  region.fill(0xf4, 120, 510);
  for (let sector = 0; sector < 9; sector++) region.set([0x55, 0xaa], sector * SECTOR + 510);
  let sum = 0;
  for (let byte = 0; byte < 11 * SECTOR; byte++)
    if (byte !== 106 && byte !== 107 && byte !== 112) sum = turned32(sum, region[byte]!);
  for (let word = 0; word < SECTOR; word += 4) region.writeUInt32LE(sum, 11 * SECTOR + word);
  return region;
}

const turned32 = (sum: number, byte: number): number =>
  (((sum & 1 ? 0x8000_0000 : 0) + (sum >>> 1) + byte) & 0xffff_ffff) >>> 0;
const turned16 = (sum: number, byte: number): number => ((sum & 1 ? 0x8000 : 0) + (sum >>> 1) + byte) & 0xffff;

function rootEntries(label: string, bitmapFirst: number, bitmapBytes: number, upperFirst: number): Buffer[] {
  const text = label.slice(0, 11);
  const name = Buffer.alloc(ENTRY);
  name.set([0x83, text.length]);
  name.write(text, 2, "utf16le");
  const bitmap = Buffer.alloc(ENTRY);
  bitmap[0] = 0x81;
  bitmap.writeUInt32LE(bitmapFirst, 20);
  bitmap.writeBigUInt64LE(BigInt(bitmapBytes), 24);
  const upcase = Buffer.alloc(ENTRY);
  upcase[0] = 0x82;
  let sum = 0;
  for (const byte of TABLE) sum = turned32(sum, byte);
  upcase.writeUInt32LE(sum, 4);
  upcase.writeUInt32LE(upperFirst, 20);
  upcase.writeBigUInt64LE(BigInt(TABLE.length), 24);
  return [name, bitmap, upcase];
}

function entrySet(
  name: string,
  attributes: number,
  { first, bytes }: { first: number; bytes: number },
  timeMs: number,
): Buffer {
  const names = Math.ceil(name.length / NAME_UNITS_AN_ENTRY);
  const set = Buffer.alloc(ENTRY * (2 + names));
  set.set([0x85, 1 + names]);
  set.writeUInt16LE(attributes, 4);
  const stamp = dosTime(timeMs);
  for (const at of [8, 12, 16]) set.writeUInt32LE(stamp, at);
  set.set([0x80, 0x80, 0x80], 22);
  set[ENTRY] = 0xc0;
  set[ENTRY + 1] = first === 0 ? 1 : 3;
  set[ENTRY + 3] = name.length;
  const letters = Buffer.from(name, "utf16le");
  let hash = 0;
  for (const byte of Buffer.from(upper(name), "utf16le")) hash = turned16(hash, byte);
  set.writeUInt16LE(hash, ENTRY + 4);
  set.writeBigUInt64LE(BigInt(bytes), ENTRY + 8);
  set.writeUInt32LE(first, ENTRY + 20);
  set.writeBigUInt64LE(BigInt(bytes), ENTRY + 24);
  for (let at = 0; at < names; at++) {
    const from = ENTRY * (2 + at);
    set[from] = 0xc1;
    letters.copy(set, from + 2, at * 30, (at + 1) * 30);
  }
  let sum = 0;
  for (const [at, byte] of set.entries()) if (at !== 2 && at !== 3) sum = turned16(sum, byte);
  set.writeUInt16LE(sum, 2);
  return set;
}

/** Two seconds apart, in UTC. */
function dosTime(timeMs: number): number {
  const time = new Date(timeMs);
  const year = Math.min(Math.max(time.getUTCFullYear(), 1980), 2107) - 1980;
  const date = (year << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return ((date << 16) | clock) >>> 0;
}
