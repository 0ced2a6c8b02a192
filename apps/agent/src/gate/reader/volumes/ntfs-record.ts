/** NTFS records: fix-ups undone, attributes taken apart, runs turned into extents. */
import { addExtent, bytesSource, Damaged, type Extent, extentSource, type Source, slice, u64 } from "../source.ts";
import { utf16le } from "../volume.ts";

export type NtfsLayout = {
  source: Source;
  /** Bytes. */
  cluster: number;
  /** Bytes of a record of the master file table. */
  record: number;
  tableAt: number;
};

export type Attribute = {
  record: number;
  type: number;
  /** By which a list tells it from others of its record. */
  id: number;
  name: Buffer;
  flags: number;
  /** The value, where it lies in the record. */
  resident: Buffer | null;
  firstCluster: number;
  runs: Extent[];
  size: number;
  /** Bytes past this read as zeros. */
  initialised: number;
};

/** `part`: holds attributes of another record, which names it in its list. */
export type MftRecord = { folder: boolean; part: boolean; attributes: Attribute[] };
export type Table = { count: number; record(number: number): MftRecord | null };

const COMPRESSED = 0x00ff;
const ENCRYPTED = 0x4000;
const EXTENTS_MAX = 1_000_000;
/** By which records are torn, whatever the medium's are. */
const SECTOR_BYTES = 512;
/** The table is read in windows: one read a record would cost more than all else. */
const WINDOW_BYTES = 1024 * 1024;

export const attributes = { name: utf16le };

/** @throws Damaged where the first record, which describes the table, cannot be read */
export function openTable(layout: NtfsLayout): Table {
  // a copy: what a record keeps aside is put back in it, and the source may be those bytes themselves
  const first = parse(layout, Buffer.from(layout.source.read(layout.tableAt, layout.record)), 0);
  const parts = first?.attributes.filter((attribute) => attribute.type === 0x80 && attribute.name.length === 0) ?? [];
  if (parts.length === 0) throw new Damaged("has no place");
  const list = first?.attributes.find((attribute) => attribute.type === 0x20);
  const source = list ? wholeTable(layout, parts, list) : contentOf(layout, parts);
  const written = parts.find((part) => part.firstCluster === 0)?.initialised ?? source.size;
  return reader(layout, slice(source, 0, Math.min(written, source.size)));
}

function reader(layout: NtfsLayout, source: Source): Table {
  let windowAt = -1;
  let window: Buffer = Buffer.alloc(0);
  return {
    count: Math.floor(source.size / layout.record),
    record(number) {
      const at = number * layout.record;
      if (at + layout.record > source.size) return null;
      if (windowAt < 0 || at < windowAt || at + layout.record > windowAt + window.length) {
        windowAt = at - (at % WINDOW_BYTES);
        window = source.read(windowAt, Math.min(WINDOW_BYTES, source.size - windowAt));
      }
      return parse(layout, Buffer.from(window.subarray(at - windowAt, at - windowAt + layout.record)), number);
    },
  };
}

/** A table in very many pieces describes itself by a list, whose further records lie in what is known so far. */
function wholeTable(layout: NtfsLayout, parts: Attribute[], list: Attribute): Source {
  const covered = parts.reduce((sum, part) => sum + part.runs.reduce((run, extent) => run + extent.bytes, 0), 0);
  const known = reader(
    layout,
    extentSource(
      layout.source,
      parts.flatMap((part) => part.runs),
      covered,
    ),
  );
  const bytes = list.resident ?? contentOf(layout, [list]).read(0, Math.min(list.size, WINDOW_BYTES));
  const all = [...parts];
  for (let at = 0; at + 26 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at + 4);
    if (length < 26) break;
    const number = bytes.readUInt32LE(at + 16);
    if (bytes.readUInt32LE(at) === 0x80 && number !== 0)
      all.push(...(known.record(number)?.attributes.filter((found) => found.type === 0x80) ?? []));
    at += length;
  }
  return contentOf(layout, all);
}

/** Null: not in use. Without its mark it is one to Linux all the same, where its flags say so. */
function parse(layout: NtfsLayout, bytes: Buffer, number: number): MftRecord | null {
  const mark = bytes.toString("latin1", 0, 4);
  const flags = bytes.readUInt16LE(22);
  const unused = (flags & 1) === 0;
  if (unused && (mark === "\0\0\0\0" || mark === "BAAD")) return null;
  if (mark !== "FILE") throw new Damaged("has a record without its mark");
  if (unused) return null;
  undoFixups(bytes);
  const found: Attribute[] = [];
  for (let at = bytes.readUInt16LE(20); at + 16 <= bytes.length; ) {
    const type = bytes.readUInt32LE(at);
    if (type === 0xffff_ffff) break;
    const length = bytes.readUInt32LE(at + 4);
    if (length < 16 || at + length > bytes.length) throw new Damaged("has an attribute that ends outside its record");
    found.push(attribute(layout, bytes.subarray(at, at + length), type, number));
    at += length;
  }
  const part = bytes.subarray(32, 40).some((byte) => byte !== 0);
  return { folder: (flags & 2) !== 0, part, attributes: found };
}

/** The last two bytes of each sector are kept aside, so that a torn write shows.
 *  @throws Damaged when they are all put back, where one shows, or where they are not as many as the sectors: some systems
 *  count those, and others take the header's word */
export function undoFixups(bytes: Buffer): void {
  const at = bytes.readUInt16LE(4);
  const count = bytes.length / SECTOR_BYTES;
  let torn = false;
  for (let index = 1; index <= count; index++) {
    const end = index * SECTOR_BYTES - 2;
    torn ||= bytes.readUInt16LE(end) !== bytes.readUInt16LE(at);
    bytes.writeUInt16LE(bytes.readUInt16LE(at + index * 2), end);
  }
  if (torn) throw new Damaged("has a record that was torn");
  if (bytes.readUInt16LE(6) !== count + 1)
    throw new Damaged("has a record that keeps aside more or less than its sectors");
}

function attribute(layout: NtfsLayout, bytes: Buffer, type: number, record: number): Attribute {
  const nameAt = bytes.readUInt16LE(10);
  const common = {
    record,
    type,
    id: bytes.readUInt16LE(14),
    name: utf16le(bytes.subarray(nameAt, nameAt + bytes[9]! * 2)),
    flags: bytes.readUInt16LE(12),
  };
  if (bytes[8] === 0) {
    const size = bytes.readUInt32LE(16);
    const from = bytes.readUInt16LE(20);
    if (from + size > bytes.length) throw new Damaged("has a value that ends outside its record");
    return {
      ...common,
      resident: bytes.subarray(from, from + size),
      firstCluster: 0,
      runs: [],
      size,
      initialised: size,
    };
  }
  const firstCluster = u64(bytes, 16);
  return {
    ...common,
    resident: null,
    firstCluster,
    runs: runsOf(layout, bytes.subarray(bytes.readUInt16LE(32))),
    size: firstCluster === 0 ? u64(bytes, 48) : 0,
    initialised: firstCluster === 0 ? u64(bytes, 56) : 0,
  };
}

/** Lengths and signed offsets from the run before, each of as many bytes as the first byte's halves say. */
function runsOf(layout: NtfsLayout, bytes: Buffer): Extent[] {
  const runs: Extent[] = [];
  let cluster = 0;
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const lengthBytes = bytes[at]! & 15;
    const offsetBytes = bytes[at]! >> 4;
    if (lengthBytes === 0 || lengthBytes > 6 || offsetBytes > 6) throw new Damaged("has a run of a size no disk has");
    const length = bytes.readUIntLE(at + 1, lengthBytes);
    if (offsetBytes > 0) cluster += bytes.readIntLE(at + 1 + lengthBytes, offsetBytes);
    if (cluster < 0) throw new Damaged("has a run before the medium");
    addExtent(runs, offsetBytes === 0 ? null : cluster * layout.cluster, length * layout.cluster);
    if (runs.length > EXTENTS_MAX) throw new Damaged("is in more pieces than any real file");
    at += 1 + lengthBytes + offsetBytes;
  }
  return runs;
}

/** A stream's parts, in whatever order they were found, as one source.
 *  @throws Damaged where it is compressed, encrypted, or not all there */
export function contentOf(layout: NtfsLayout, parts: Attribute[]): Source {
  const sorted = [...parts].sort((a, b) => a.firstCluster - b.firstCluster);
  const first = sorted[0]!;
  // which of them a system takes depends on whether it goes by the list of attributes
  if (sorted.length > 1 && (sorted[1]!.firstCluster === 0 || sorted.some((part) => part.resident !== null)))
    throw new Damaged("has a stream that begins twice");
  if (first.flags & ENCRYPTED) throw new Damaged("encrypted");
  if (first.resident) return bytesSource(Buffer.from(first.resident));
  if (first.flags & COMPRESSED) throw new Damaged("compressed by NTFS, which the gate does not unpack");
  const extents: Extent[] = [];
  let covered = 0;
  for (const part of sorted) {
    if (part.firstCluster * layout.cluster !== covered) throw new Damaged("has a stream of which a part is missing");
    for (const run of part.runs) {
      addExtent(extents, run.from, run.bytes);
      covered += run.bytes;
    }
  }
  const all = extentSource(layout.source, extents, first.size);
  if (first.initialised >= first.size) return all;
  return extentSource(all, [{ from: 0, bytes: first.initialised }], first.size, true);
}
