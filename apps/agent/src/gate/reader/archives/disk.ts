/** A disk, partition, floppy or disc as a file → its files, by the same readers as for the stick itself. */

import { foreign } from "../foreign.ts";
import { laidBeside } from "../laid-beside.ts";
import { outside, partitions } from "../partitions.ts";
import { bytesSource, Damaged, type Source, slice } from "../source.ts";
import { labelHead } from "../tables/labels.ts";
import type { Range, Tables } from "../tables/range.ts";
import { countdown, type Entry, reason, type Volume } from "../volume.ts";
import { ALSO_UDF, ONLY_UDF } from "../volumes/iso.ts";
import { volumesIn } from "../volumes/probe.ts";
import type { Member } from "./member.ts";

/** Members are counted by the medium's own bound; this one only keeps a walk from being endless. */
const ENTRIES_MAX = 1_000_000;
/** Below this nothing but a small floppy holds a file: it is a copy of a boot sector or of a partition table. */
const DISK_BYTES_MIN = 32 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const GAPS_MAX = 64;

type Disk = { tables: Tables; volumes: Volume[] };

/** Whether its first bytes could be a disk's. */
export function diskHead(head: Buffer): boolean {
  const mark = (at: number, text: string) => head.toString("latin1", at, at + text.length) === text;
  const ext = head.length >= 2048 && head.readUInt16LE(1080) === 0xef53 && head.readUInt32LE(1048) <= 6;
  return (
    ext ||
    (head[510] === 0x55 && head[511] === 0xaa) ||
    ["EXFAT   ", "NTFS    "].some((name) => mark(3, name)) ||
    [512, 4096].some((at) => mark(at, "EFI PART")) ||
    ["CD001", "BEA01", "TEA01", "NSR0"].some((text) => mark(32_769, text)) ||
    mark(32_777, "CDROM") ||
    volumesIn(bytesSource(head.subarray(0, 512))).length > 0 ||
    labelHead(head)
  );
}

/** Null: none. A copy of a boot sector or a table, with nothing of the disk behind it, is none either. */
export function disk(source: Source): Disk | null {
  if (source.size < 512) return null;
  const volumes = volumesIn(source).filter(
    (volume) =>
      // UDF alone is 7z's
      volume.problem !== ONLY_UDF &&
      (volume.contentFrom === undefined ? source.size >= DISK_BYTES_MIN : volume.contentFrom < source.size),
  );
  const plausible = volumes.filter((volume) => !volume.fileSystem.startsWith("ext") || extLikely(source));
  const tables = source.size < DISK_BYTES_MIN ? NO_TABLES : partitions(source);
  const inside = tables.partitions.some((range) => range.bytes > 0);
  return plausible.length === 0 && !inside && tables.problems.length === 0 ? null : { tables, volumes: plausible };
}

const NO_TABLES: Tables = { partitions: [], own: [], problems: [] };
/** Its mark is two bytes, which any large file may have there. */
const extLikely = (source: Source): boolean => source.read(1048, 4).readUInt32LE(0) <= 6;

/** @throws Damaged at the end, where something could not be read that no member tells */
export function* diskMembers(source: Source): Generator<Member> {
  const found = disk(source);
  if (found === null) throw new Damaged("is a disk image without anything that the gate reads");
  const { tables, volumes } = found;
  const problems = [...tables.problems];
  // by a mark at its start it is another container by itself
  const other = volumes.length === 0 ? null : laidBeside(source);
  if (other !== null) problems.push(`it is ${other} as well`);
  yield* volumesMembers(volumes, "", problems);
  for (const range of tables.partitions) {
    if (range.problem !== undefined) problems.push(`its partition ${range.number}: ${range.problem}`);
    yield* partitionMembers(range, slice(source, range.from, range.bytes), inDisc(range, volumes), problems);
  }
  const over = volumes.map((volume) => ({ from: 0, bytes: Math.min(volume.bytes, source.size) }));
  let gaps = 0;
  const footer = source.read(source.size - 512, 8).toString("latin1") === "conectix" ? 512 : 0;
  const taken = [...tables.own, ...tables.partitions, ...over];
  // what has nothing but a table that is not read is no more than its own bytes
  const own = { from: source.size - footer, bytes: footer };
  for (const gap of taken.length === 0 ? [] : outside(source.size, [...taken, own])) {
    const content = slice(source, gap.from, gap.bytes);
    if (onlyZeros(content)) continue;
    gaps += 1;
    if (gaps > GAPS_MAX) problems.push("has more gaps between its partitions than any real one");
    else yield { name: Buffer.from(`outside-${gap.from}`), kind: "file", size: gap.bytes, content, region: true };
  }
  if (problems.length > 0) throw new Damaged(problems[0]!);
}

/** Discs made for booting name parts of themselves as partitions, so that nobody takes the room for free. */
const inDisc = ({ from, bytes }: Range, volumes: Volume[]): boolean =>
  volumes.some((volume) => volume.fileSystem === "iso9660" && from + bytes <= volume.bytes);

function* partitionMembers(range: Range, source: Source, isDisc: boolean, problems: string[]): Generator<Member> {
  const volumes = volumesIn(source).filter((volume) => volume.problem !== ONLY_UDF);
  if (volumes.length > 0) {
    const other = foreign(source);
    if (other !== null) problems.push(`its partition ${range.number} is ${other} as well`);
    yield* volumesMembers(volumes, `${range.number}/`, problems);
  } else if (!onlyZeros(source)) {
    // as a file: what 7z opens, or what is known by name, is found there
    yield { name: Buffer.from(String(range.number)), kind: "file", size: source.size, content: source, region: true };
    if (foreign(source) === null && !isDisc)
      problems.push(`its partition ${range.number}: no file system that the gate reads`);
  }
}

function* volumesMembers(volumes: Volume[], prefix: string, problems: string[]): Generator<Member> {
  for (const volume of volumes) {
    if (volume.problem !== undefined && volume.problem !== ALSO_UDF)
      problems.push(`its ${volume.fileSystem}: ${volume.problem}`);
    try {
      for (const entry of volume.entries(countdown(ENTRIES_MAX))) yield fromEntry(entry, prefix);
    } catch (error) {
      problems.push(`its ${volume.fileSystem} ${reason(error)}`);
    }
  }
}

export const fromEntry = ({ path, kind, size, content, problem, detail }: Entry, prefix = ""): Member => ({
  name: prefix === "" ? path : Buffer.concat([Buffer.from(prefix), path]),
  kind,
  size,
  content,
  ...(problem === undefined ? {} : { problem }),
  ...(detail === undefined ? {} : { detail }),
});

function onlyZeros(source: Source): boolean {
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    const bytes = source.read(at, Math.min(CHUNK_BYTES, source.size - at));
    if (!bytes.equals(zeros.subarray(0, bytes.length))) return false;
  }
  return true;
}
