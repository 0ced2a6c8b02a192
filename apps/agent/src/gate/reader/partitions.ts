/** Source → the ranges to read as file systems, by MBR and GPT (UEFI specification, chapter 5), and what lies outside. */
import { crc32 } from "node:zlib";
import { foreign } from "./foreign.ts";
import { type Source, slice, u64 } from "./source.ts";
import { reason, utf16le } from "./volume.ts";
import { volumesIn } from "./volumes/probe.ts";

export type Range = {
  /** From 1; 0 is the whole medium. */
  number: number;
  table: "none" | "mbr" | "gpt";
  from: number;
  bytes: number;
  type?: string;
  label?: string;
  problem?: string;
};

export type Tables = {
  partitions: Range[];
  /** Ranges the tables themselves take. */
  own: { from: number; bytes: number }[];
  problems: string[];
};

const LOGICAL_MAX = 128;
const GPT_ENTRIES_MAX = 1_024;
/** What of an entry means anything; a table may have longer ones. */
const GPT_ENTRY_BYTES = 128;
const UNUSED = "00000000-0000-0000-0000-000000000000";
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
const PROTECTIVE = 0xee;

export function partitions(source: Source): Tables {
  const tables: Tables = { partitions: [], own: [], problems: [] };
  if (source.size < 512) return tables;
  const gpt = readGpt(source, tables);
  readMbr(source, tables, gpt);
  for (const range of tables.partitions) clip(range, source.size);
  return tables;
}

function clip(range: Range, size: number): void {
  if (range.from >= size) {
    range.problem = "it lies past the end of the medium";
    range.from = size;
    range.bytes = 0;
  } else if (range.from + range.bytes > size) {
    range.problem = `it runs ${range.from + range.bytes - size} bytes past the end of the medium`;
    range.bytes = size - range.from;
  }
}

/** A table's entry is taken where it could be one: the same bytes in a file system's boot sector are its code. */
function mbrEntries(sector: Buffer): { type: number; from: number; count: number; number: number }[] | null {
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) return null;
  const entries = [0, 1, 2, 3].map((index) => {
    const at = 446 + index * 16;
    return {
      number: index + 1,
      status: sector[at]!,
      type: sector[at + 4]!,
      from: sector.readUInt32LE(at + 8),
      count: sector.readUInt32LE(at + 12),
    };
  });
  if (entries.some((entry) => (entry.status & 0x7f) !== 0)) return null;
  // by Linux a partition of the type 0 is one, if it has a length
  return entries.filter((entry) => entry.count !== 0);
}

/** A table whose marks are wrong is none to Linux, and may be one to others: told where a file system begins where it
 *  points. A boot sector's code, which lies in the same place, points to none. */
function bentTable(source: Source, tables: Tables): void {
  const sector = source.read(0, 512);
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) return;
  for (let at = 446; at < 510; at += 16) {
    const from = sector.readUInt32LE(at + 8) * 512;
    const bytes = sector.readUInt32LE(at + 12) * 512;
    if (from === 0 || bytes === 0 || from + bytes > source.size) continue;
    const part = slice(source, from, bytes);
    if (volumesIn(part).length === 0 && foreign(part) === null) continue;
    tables.problems.push("its first sector is a partition table to some systems and none to others");
    return;
  }
}

function readMbr(source: Source, tables: Tables, gpt: boolean): void {
  const entries = mbrEntries(source.read(0, 512));
  if (entries === null) {
    bentTable(source, tables);
    return;
  }
  const known = new Set(tables.partitions.map((range) => `${range.from}:${range.bytes}`));
  if (entries.length > 0) tables.own.push({ from: 0, bytes: 512 });
  for (const entry of entries) {
    if (entry.type === PROTECTIVE) {
      if (!gpt) tables.problems.push("its partition table points to a GPT that cannot be read");
      continue;
    }
    if (EXTENDED.has(entry.type)) readLogical(source, tables, entry.from);
    const range = mbrRange(entry.number, entry);
    if (!EXTENDED.has(entry.type) && !known.has(`${range.from}:${range.bytes}`)) tables.partitions.push(range);
  }
}

const mbrRange = (number: number, entry: { type: number; from: number; count: number }): Range => ({
  number,
  table: "mbr",
  from: entry.from * 512,
  bytes: entry.count * 512,
  type: `0x${entry.type.toString(16).padStart(2, "0")}`,
});

/** A chain of tables, each with one partition and the way to the next. */
function readLogical(source: Source, tables: Tables, start: number): void {
  const seen = new Set<number>();
  let at: number | null = start;
  for (let number = 5; at !== null; number++) {
    if (seen.has(at) || seen.size >= LOGICAL_MAX) {
      tables.problems.push("its chain of logical partitions has no end");
      return;
    }
    seen.add(at);
    if ((at + 1) * 512 > source.size) {
      tables.problems.push("its chain of logical partitions leaves the medium");
      return;
    }
    const here: number = at;
    const entries: ReturnType<typeof mbrEntries> = mbrEntries(source.read(here * 512, 512));
    if (entries === null) {
      tables.problems.push("its chain of logical partitions is broken");
      return;
    }
    tables.own.push({ from: here * 512, bytes: 512 });
    at = null;
    if (entries.filter((entry) => EXTENDED.has(entry.type)).length > 1)
      tables.problems.push("its chain of logical partitions forks");
    for (const entry of entries) {
      if (EXTENDED.has(entry.type)) at = start + entry.from;
      else tables.partitions.push(mbrRange(number, { ...entry, from: here + entry.from }));
    }
  }
}

/** By both sizes a sector may have, and both copies: which one a system goes by is its own choice. */
function readGpt(source: Source, tables: Tables): boolean {
  let found = false;
  for (const sector of [512, 4096]) {
    if (source.size < sector * 3) continue;
    const last = Math.floor(source.size / sector) - 1;
    const first = gptAt(source, tables, sector, 1);
    const backup = gptAt(source, tables, sector, last);
    if (first === null && backup === null) continue;
    if (first === "broken" || first === null)
      tables.problems.push("the GPT at its start is damaged or missing; its copy at the end was read");
    if (found) tables.problems.push("it has one GPT for sectors of 512 bytes and one for 4,096");
    const read = Array.isArray(first) ? first : Array.isArray(backup) ? backup : null;
    if (read === null) {
      tables.problems.push("its GPT and the copy are both damaged");
      continue;
    }
    found = true;
    tables.partitions.push(...read);
    if (Array.isArray(first) && Array.isArray(backup)) addOther(tables, first, backup);
  }
  return found;
}

function addOther(tables: Tables, first: Range[], backup: Range[]): void {
  const key = (range: Range) => `${range.from}:${range.bytes}`;
  const known = new Set(first.map(key));
  const more = backup.filter((range) => !known.has(key(range)));
  if (more.length === 0 && first.length === backup.length) return;
  tables.problems.push("its GPT and the copy at the end name other partitions");
  tables.partitions.push(...more);
}

function gptAt(source: Source, tables: Tables, sector: number, lba: number): Range[] | "broken" | null {
  const header = source.read(lba * sector, 512);
  if (header.toString("latin1", 0, 8) !== "EFI PART") return null;
  try {
    const length = header.readUInt32LE(12);
    const summed = Buffer.from(header.subarray(0, length));
    summed.writeUInt32LE(0, 16);
    if (length < 92 || length > 512 || crc32(summed) !== header.readUInt32LE(16)) return "broken";
    const count = header.readUInt32LE(80);
    const entryBytes = header.readUInt32LE(84);
    if (count > GPT_ENTRIES_MAX || entryBytes < 128 || entryBytes > 4_096) return "broken";
    const at = u64(header, 72) * sector;
    const entries = slice(source, at, count * entryBytes).read(0, count * entryBytes);
    if (crc32(entries) !== header.readUInt32LE(88)) return "broken";
    takeOwn(tables, lba * sector, header.subarray(0, length), true);
    takeOwn(tables, lba * sector + length, source.read(lba * sector + length, sector - length), false);
    for (let entry = 0; entry < entries.length; entry += entryBytes) {
      const bytes = entries.subarray(entry, entry + entryBytes);
      takeOwn(tables, at + entry, bytes.subarray(0, GPT_ENTRY_BYTES), isUsed(bytes));
      takeOwn(tables, at + entry + GPT_ENTRY_BYTES, bytes.subarray(GPT_ENTRY_BYTES), false);
    }
    const end = at + entries.length;
    takeOwn(tables, end, source.read(end, Math.min((sector - (end % sector)) % sector, source.size - end)), false);
    return gptEntries(entries, entryBytes, sector);
  } catch (error) {
    reason(error);
    return "broken";
  }
}

/** A table's bytes are its own where they say something, or are zeros; what else lies among them is in no partition and in
 *  no table. */
function takeOwn(tables: Tables, from: number, bytes: Buffer, said: boolean): void {
  if (bytes.length === 0 || !(said || bytes.every((byte) => byte === 0))) return;
  const last = tables.own.at(-1);
  if (last && last.from + last.bytes === from) last.bytes += bytes.length;
  else tables.own.push({ from, bytes: bytes.length });
}

const isUsed = (entry: Buffer): boolean => guid(entry) !== UNUSED && u64(entry, 40) >= u64(entry, 32);

function gptEntries(entries: Buffer, entryBytes: number, sector: number): Range[] {
  const ranges: Range[] = [];
  for (let at = 0, number = 1; at + entryBytes <= entries.length; at += entryBytes, number++) {
    const entry = entries.subarray(at, at + entryBytes);
    if (!isUsed(entry)) continue;
    const type = guid(entry);
    const from = u64(entry, 32);
    const last = u64(entry, 40);
    const label = utf16le(entry.subarray(56, 128)).toString("utf8").replace(/\0.*$/s, "");
    ranges.push({
      number,
      table: "gpt",
      from: from * sector,
      bytes: (last - from + 1) * sector,
      type,
      ...(label ? { label } : {}),
    });
  }
  return ranges;
}

function guid(bytes: Buffer): string {
  const hex = (from: number, to: number) => bytes.toString("hex", from, to);
  const turned = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).reverse().toString("hex");
  return `${turned(0, 4)}-${turned(4, 6)}-${turned(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}

/** What neither tables nor partitions hold, in order. */
export function outside(
  size: number,
  taken: readonly { from: number; bytes: number }[],
): { from: number; bytes: number }[] {
  const gaps: { from: number; bytes: number }[] = [];
  let at = 0;
  for (const range of [...taken].sort((a, b) => a.from - b.from)) {
    if (range.from > at) gaps.push({ from: at, bytes: Math.min(range.from, size) - at });
    at = Math.max(at, range.from + range.bytes);
  }
  if (at < size) gaps.push({ from: at, bytes: size - at });
  return gaps;
}
