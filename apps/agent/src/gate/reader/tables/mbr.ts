/** Source → the partitions of an MBR and its logical ones, by both sizes that a sector may have. */
import { type Source, slice } from "../source.ts";
import { holds, place, type Range, type Tables, within } from "./range.ts";

const LOGICAL_MAX = 128;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
const PROTECTIVE = 0xee;

/** `from` and `count` in the disk's sectors. */
type MbrEntry = { number: number; type: number; from: number; count: number };

/** A table's entry is taken where it could be one: the same bytes in a file system's boot sector are its code. */
function mbrEntries(sector: Buffer): MbrEntry[] | null {
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
    if (from === 0 || bytes === 0 || from >= source.size) continue;
    if (!holds(slice(source, from, Math.min(bytes, source.size - from)))) continue;
    tables.problems.push("its first sector is a partition table to some systems and none to others");
    return;
  }
}

export function readMbr(source: Source, tables: Tables, gpt: boolean): void {
  const entries = mbrEntries(source.read(0, 512));
  if (entries === null) {
    bentTable(source, tables);
    return;
  }
  if (!gpt && entries.some(({ type }) => type === PROTECTIVE))
    tables.problems.push("its partition table points to a GPT that cannot be read");
  if (entries.length > 0) tables.own.push({ from: 0, bytes: 512 });
  const known = new Set(tables.partitions.map(place));
  const read = pointsBy(source, entries);
  tables.own.push(...read.own);
  tables.problems.push(...read.problems);
  tables.partitions.push(...read.partitions.filter((range) => !known.has(place(range))));
}

/** A table does not say how large the disk's sectors are. Those of 512 bytes count where something begins where they point,
 *  or nothing does by 4,096 either; what begins where those of 4,096 point is read in any case. */
function pointsBy(source: Source, entries: MbrEntry[]): Tables {
  const bySmall = mbrPartitions(source, entries, 512);
  const byLarge = mbrPartitions(source, entries, 4096);
  const found = (range: Range): boolean =>
    range.from < source.size && holds(slice(source, range.from, within(range, source.size).bytes));
  const starts = new Set(bySmall.partitions.map(({ from }) => from));
  const more = byLarge.partitions.filter((range) => !starts.has(range.from) && found(range));
  if (more.length === 0) return bySmall;
  if (!bySmall.partitions.some(found)) return byLarge;
  return { ...bySmall, partitions: [...bySmall.partitions, ...more.map((range) => within(range, source.size))] };
}

/** `sector`: its size in bytes. */
function mbrPartitions(source: Source, entries: MbrEntry[], sector: number): Tables {
  const tables: Tables = { partitions: [], own: [], problems: [] };
  for (const entry of entries) {
    if (entry.type === PROTECTIVE) continue;
    if (EXTENDED.has(entry.type)) readLogical(source, tables, entry.from, sector);
    else tables.partitions.push(mbrRange(entry.number, entry, sector));
  }
  return tables;
}

const mbrRange = (number: number, entry: { type: number; from: number; count: number }, sector: number): Range => ({
  number,
  table: "mbr",
  from: entry.from * sector,
  bytes: entry.count * sector,
  type: `0x${entry.type.toString(16).padStart(2, "0")}`,
});

/** A chain of tables, each with one partition and the way to the next. */
function readLogical(source: Source, tables: Tables, start: number, sector: number): void {
  const seen = new Set<number>();
  let at: number | null = start;
  for (let number = 5; at !== null; number++) {
    if (seen.has(at) || seen.size >= LOGICAL_MAX) {
      tables.problems.push("its chain of logical partitions has no end");
      return;
    }
    seen.add(at);
    if ((at + 1) * sector > source.size) {
      tables.problems.push("its chain of logical partitions leaves the medium");
      return;
    }
    const here: number = at;
    const entries: MbrEntry[] | null = mbrEntries(source.read(here * sector, 512));
    if (entries === null) {
      tables.problems.push("its chain of logical partitions is broken");
      return;
    }
    tables.own.push({ from: here * sector, bytes: 512 });
    at = null;
    if (entries.filter((entry) => EXTENDED.has(entry.type)).length > 1)
      tables.problems.push("its chain of logical partitions forks");
    for (const entry of entries) {
      if (EXTENDED.has(entry.type)) at = start + entry.from;
      else tables.partitions.push(mbrRange(number, { ...entry, from: here + entry.from }, sector));
    }
  }
}
