/** Source → the partitions of a GPT and of its copy (UEFI specification, chapter 5). */
import { crc32 } from "node:zlib";
import { type Source, slice, u64 } from "../source.ts";
import { reason, utf16le } from "../volume.ts";
import { place, type Range, type Tables } from "./range.ts";

const GPT_ENTRIES_MAX = 1_024;
/** What of an entry means anything; a table may have longer ones. */
const GPT_ENTRY_BYTES = 128;
const UNUSED = "00000000-0000-0000-0000-000000000000";

/** By both sizes a sector may have, and both copies: which one a system goes by is its own choice. */
export function readGpt(source: Source, tables: Tables): boolean {
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
  const known = new Set(first.map(place));
  const more = backup.filter((range) => !known.has(place(range)));
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
    if (endsBefore(entries, entryBytes)) tables.problems.push("its GPT has a partition that ends before it begins");
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

/** Linux makes a partition of it, without an end. */
function endsBefore(entries: Buffer, entryBytes: number): boolean {
  for (let at = 0; at + entryBytes <= entries.length; at += entryBytes) {
    const entry = entries.subarray(at, at + entryBytes);
    if (guid(entry) !== UNUSED && !isUsed(entry)) return true;
  }
  return false;
}

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
