/** Compound files ([MS-CFB]): Office documents as they were before 2007, and the wrapper of encrypted ones since. */
import { Damaged, type Source } from "../source.ts";
import { reason } from "../volume.ts";

const SIGNATURE = Buffer.from("d0cf11e0a1b11ae1", "hex");
const SECTORS_MAX = 0xffff_fffa;
const ENTRIES_MAX = 100_000;
/** Parts of streams that are looked at: where each format says that it is encrypted. */
const LOOK_BYTES = 4096;
const RECORDS_MAX = 64;

export const isCompound = (head: Buffer): boolean => head.subarray(0, 8).equals(SIGNATURE);

type Chain = (sector: number) => number;
type Layout = { source: Source; sector: number; next: Chain };
type Entry = { name: string; type: number; start: number; size: number };

/** Whether a password is needed.
 *  @throws Damaged, RangeError where its structure cannot be followed */
export function lockedCompound(source: Source): boolean {
  const { head, layout, directoryAt } = open(source);
  const entries = directory(layout, directoryAt);
  const root = entries[0];
  if (root?.type !== 5) throw new Damaged("has no root");
  const mini = head.readUInt32LE(56);
  const miniAt = head.readUInt32LE(60);
  const first = (entry: Entry): Buffer =>
    entry.size < mini
      ? small(layout, root.start, miniAt, entry)
      : large(layout, entry.start, Math.min(entry.size, LOOK_BYTES));
  return entries.some((entry) => entry.type === 2 && lockedStream(entry.name, () => first(entry)));
}

/** MSI's packages, patches and modules, by their class. */
const INSTALLER = /^8[246]100c0000000000c000000000000046$/;

export function isInstaller(source: Source): boolean {
  try {
    const { layout, directoryAt } = open(source);
    const root = source.read((directoryAt + 1) * layout.sector, 128);
    return INSTALLER.test(root.toString("hex", 80, 96));
  } catch (error) {
    reason(error);
    return false; // said of it by its being no document that can be followed
  }
}

function open(source: Source): { head: Buffer; layout: Layout; directoryAt: number } {
  const head = source.read(0, 512);
  const shift = head.readUInt16LE(30);
  if (shift !== 9 && shift !== 12) throw new Damaged("has sectors of a size that none has");
  const sector = 2 ** shift;
  return { head, layout: { source, sector, next: chain(source, head, sector) }, directoryAt: head.readUInt32LE(48) };
}

function lockedStream(name: string, bytes: () => Buffer): boolean {
  switch (name) {
    case "EncryptedPackage":
    case "EncryptionInfo":
    case "EncryptedSummary":
    case "\u0009DRMContent":
    case "\u0009DRMViewerContent":
      return true;
    case "WordDocument": // [MS-DOC] FibBase: fEncrypted
      return (bytes().readUInt16LE(10) & 0x0100) !== 0;
    case "Workbook":
    case "Book":
      return hasFilePass(bytes());
    case "Current User": // [MS-PPT] CurrentUserAtom: headerToken
      return bytes().readUInt32LE(12) === 0xf3d1_c4df;
    default:
      return false;
  }
}

/** [MS-XLS] FilePass, which stands right behind the first record and what may go before it. */
function hasFilePass(bytes: Buffer): boolean {
  for (let at = 0, count = 0; at + 4 <= bytes.length && count < RECORDS_MAX; count++) {
    if (bytes.readUInt16LE(at) === 0x2f) return true;
    at += 4 + bytes.readUInt16LE(at + 2);
  }
  return false;
}

/** The allocation table, whose own sectors are listed in the header and in a chain behind it. */
function chain(source: Source, head: Buffer, sector: number): Chain {
  const tables: number[] = [];
  for (let at = 76; at < 512; at += 4) tables.push(head.readUInt32LE(at));
  const per = sector / 4;
  let more = head.readUInt32LE(68);
  for (let count = 0; more < SECTORS_MAX; count++) {
    if (count > ENTRIES_MAX) throw new Damaged("has an allocation table without end");
    const bytes = source.read((more + 1) * sector, sector);
    for (let at = 0; at < sector - 4; at += 4) tables.push(bytes.readUInt32LE(at));
    more = bytes.readUInt32LE(sector - 4);
  }
  let known = -1;
  let table: Buffer = Buffer.alloc(0);
  return (at) => {
    const index = Math.floor(at / per);
    const place = tables[index];
    if (place === undefined || place >= SECTORS_MAX) throw new Damaged("has a chain that leaves its allocation table");
    if (index !== known) {
      table = source.read((place + 1) * sector, sector);
      known = index;
    }
    return table.readUInt32LE((at % per) * 4);
  };
}

function directory(layout: Layout, start: number): Entry[] {
  const entries: Entry[] = [];
  let at = start;
  for (let count = 0; at < SECTORS_MAX; count++, at = layout.next(at)) {
    if (count * (layout.sector / 128) > ENTRIES_MAX) throw new Damaged("has a directory without end");
    const bytes = layout.source.read((at + 1) * layout.sector, layout.sector);
    for (let from = 0; from < bytes.length; from += 128) {
      const letters = Math.min(64, bytes.readUInt16LE(from + 64));
      entries.push({
        name: bytes.toString("utf16le", from, from + Math.max(0, letters - 2)),
        type: bytes[from + 66]!,
        start: bytes.readUInt32LE(from + 116),
        size: bytes.readUInt32LE(from + 120),
      });
    }
  }
  return entries;
}

function large(layout: Layout, start: number, bytes: number): Buffer {
  const parts: Buffer[] = [];
  let at = start;
  for (let have = 0; have < bytes; have += layout.sector) {
    parts.push(layout.source.read((at + 1) * layout.sector, layout.sector));
    if (have + layout.sector < bytes) at = layout.next(at);
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

const MINI = 64;

/** Of a stream that lies in the root's own, in pieces of 64 bytes with an allocation table of their own. */
function small(layout: Layout, root: number, tableAt: number, entry: Entry): Buffer {
  const walk = (start: number, count: number): number => {
    if (count > ENTRIES_MAX) throw new Damaged("has a chain without end");
    let at = start;
    for (let step = 0; step < count; step++) at = layout.next(at);
    return (at + 1) * layout.sector;
  };
  const per = layout.sector / 4;
  const pieces = layout.sector / MINI;
  const parts: Buffer[] = [];
  let at = entry.start;
  for (let have = 0; have < entry.size; have += MINI) {
    parts.push(layout.source.read(walk(root, Math.floor(at / pieces)) + (at % pieces) * MINI, MINI));
    at = layout.source.read(walk(tableAt, Math.floor(at / per)) + (at % per) * 4, 4).readUInt32LE(0);
  }
  return Buffer.concat(parts).subarray(0, entry.size);
}
