/** NTFS, by its master file table from end to end rather than by its folders' indexes, so that a record no index names
 *  is listed as well. Layout after the Linux-NTFS project's documentation. */
import { Damaged, type Source, u64 } from "../source.ts";
import { type Bounds, type Entry, fileEntry, powerOfTwo, reason, type Volume } from "../volume.ts";
import { type Attribute, attributes, contentOf, type NtfsLayout, openTable, type Table } from "./ntfs-record.ts";

const NAME = 0x30;
const DATA = 0x80;
const LIST = 0x20;
const REPARSE = 0xc0;
/** Records 0 to 15 describe the volume itself; only the root folder's extra streams are anybody's content. */
const OWN_RECORDS = 16;
const ROOT = 5;
const PARENTS_MAX = 256;

export function ntfs(source: Source): Volume | null {
  if (source.size < 512) return null;
  const boot = source.read(0, 512);
  if (boot.toString("latin1", 3, 11) !== "NTFS    ") return null;
  const sector = boot.readUInt16LE(11);
  const per = boot[13]!;
  const cluster = sector * (per > 0x80 ? 2 ** (256 - per) : per);
  const perRecord = boot.readInt8(64);
  const record = perRecord > 0 ? perRecord * cluster : 2 ** -perRecord;
  const bytes = u64(boot, 40) * sector;
  const none = function* () {};
  if (
    !powerOfTwo(sector) ||
    !powerOfTwo(cluster) ||
    cluster > 2 ** 21 ||
    !powerOfTwo(record) ||
    record < 512 ||
    record > 65_536
  ) {
    return { fileSystem: "ntfs", bytes, problem: "the boot sector's sizes make no sense", entries: none };
  }
  const layout: NtfsLayout = { source, cluster, record, tableAt: u64(boot, 48) * cluster };
  let table: Table;
  try {
    table = openTable(layout);
  } catch (error) {
    return { fileSystem: "ntfs", bytes, problem: `its master file table ${reason(error)}`, entries: none };
  }
  const label = labelOf(table);
  return {
    fileSystem: "ntfs",
    bytes,
    ...(label ? { label } : {}),
    ...(bytes > source.size ? { problem: `the file system claims ${bytes} bytes, the medium has ${source.size}` } : {}),
    entries: (bounds) => walk(layout, table, bounds),
  };
}

function labelOf(table: Table): string | null {
  try {
    const found = table.record(3)?.attributes.find((attribute) => attribute.type === 0x60);
    const text = found?.resident?.toString("utf16le") ?? "";
    return text.isWellFormed() && text !== "" ? text.slice(0, 128) : null;
  } catch {
    return null;
  }
}

type Name = { parent: number; name: Buffer };
type Folders = Map<number, Name>;

function* walk(layout: NtfsLayout, table: Table, bounds: Bounds): Generator<Entry> {
  const folders: Folders = new Map();
  for (let number = 0; number < table.count; number++) {
    try {
      const record = table.record(number);
      if (!record?.folder || record.base !== 0) continue;
      bounds.take();
      const [name] = namesOf(allAttributes(table, record.attributes, layout));
      if (name && number !== ROOT) folders.set(number, name);
    } catch (error) {
      reason(error); // the second pass lists it with the reason
    }
  }
  for (let number = 0; number < table.count; number++) {
    try {
      const record = table.record(number);
      if (record?.base !== 0) continue;
      if (number < OWN_RECORDS && number !== ROOT) {
        yield* ownStreams(layout, record.attributes, number);
        continue;
      }
      yield* entriesOf(layout, table, folders, number, record.folder, record.attributes, bounds);
    } catch (error) {
      yield fileEntry(Buffer.from(`$Orphan/record-${number}`), 0, () => layout.source, reason(error));
    }
  }
}

/** What the volume's own files may have beside their content. */
const OWN_STREAMS = new Set(["$Bad", "$SDS", "$Info", "$SRAT"]);

/** A stream that somebody hung on one of the volume's own files is content as any other. */
function* ownStreams(layout: NtfsLayout, all: Attribute[], number: number): Generator<Entry> {
  for (const attribute of all) {
    if (attribute.type !== DATA || attribute.name.length === 0 || OWN_STREAMS.has(attribute.name.toString())) continue;
    const path = Buffer.concat([Buffer.from(`$Own/record-${number}:`), attribute.name]);
    yield fileEntry(path, attribute.size, () => contentOf(layout, [attribute]));
  }
}

function* entriesOf(
  layout: NtfsLayout,
  table: Table,
  folders: Folders,
  number: number,
  folder: boolean,
  own: Attribute[],
  bounds: Bounds,
): Generator<Entry> {
  const all = allAttributes(table, own, layout);
  const names = namesOf(all);
  const streams = Map.groupBy(
    all.filter((attribute) => attribute.type === DATA),
    (attribute) => attribute.name.toString("hex"),
  );
  const reparse = all.find((attribute) => attribute.type === REPARSE);
  const paths = number === ROOT ? [Buffer.alloc(0)] : names.map((name) => pathOf(folders, name));
  if (paths.length === 0) {
    if (streams.size === 0) return;
    paths.push(Buffer.from(`$Orphan/record-${number}`));
  }
  for (const path of paths) {
    bounds.take();
    if (folder) yield { path, kind: "folder", size: 0, content: null };
    else if (reparse) yield reparsed(path, reparse);
    for (const parts of streams.values()) {
      const { name } = parts[0]!;
      const full = name.length === 0 ? path : Buffer.concat([path, Buffer.from(":"), name]);
      const size = parts.find((part) => part.firstCluster === 0)?.size ?? 0;
      if (reparse && name.length === 0 && size === 0) continue;
      yield fileEntry(full, size, () => contentOf(layout, parts));
    }
  }
}

/** Junctions and links are links; other reparse points (compressed system files, cloud files) hide their content. */
function reparsed(path: Buffer, attribute: Attribute): Entry {
  const tag = attribute.resident && attribute.resident.length >= 4 ? attribute.resident.readUInt32LE(0) : 0;
  if (tag === 0xa000_000c || tag === 0xa000_0003 || tag === 0xa000_001d) {
    return { path, kind: "link", size: 0, content: null, detail: tag === 0xa000_0003 ? "a junction" : "a link" };
  }
  const problem = `has its content behind a reparse point of tag 0x${tag.toString(16)}`;
  return { path, kind: "file", size: 0, content: null, problem };
}

function pathOf(folders: Folders, name: Name): Buffer {
  const parts: Buffer[] = [name.name];
  let parent = name.parent;
  for (let depth = 0; parent !== ROOT; depth++) {
    const above = folders.get(parent);
    if (!above || depth > PARENTS_MAX) {
      parts.unshift(Buffer.from("$Orphan"));
      break;
    }
    parts.unshift(above.name);
    parent = above.parent;
  }
  return Buffer.from(
    parts.reduce(
      (path, part) => (path.length === 0 ? part : Buffer.concat([path, Buffer.from("/"), part])),
      Buffer.alloc(0),
    ),
  );
}

/** A record that is full keeps attributes in other records, named by its list. */
function allAttributes(table: Table, own: Attribute[], layout: NtfsLayout): Attribute[] {
  const list = own.find((attribute) => attribute.type === LIST);
  if (!list) return own;
  const bytes = list.resident ?? readWhole(contentOf(layout, [list]));
  const others = new Set<number>();
  for (let at = 0; at + 26 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at + 4);
    if (length < 26) break;
    others.add(bytes.readUInt32LE(at + 16) + bytes.readUInt16LE(at + 20) * 0x1_0000_0000);
    at += length;
  }
  const all = [...own];
  for (const number of others) {
    if (own.some((attribute) => attribute.record === number)) continue;
    const record = table.record(number);
    if (!record) throw new Damaged(`keeps attributes in record ${number}, which is not in use`);
    all.push(...record.attributes);
  }
  return all;
}

function readWhole(source: Source): Buffer {
  if (source.size > 1024 * 1024) throw new Damaged("has a list of attributes larger than any real one");
  return source.read(0, source.size);
}

/** A DOS name stands beside the long one and is not another file. */
function namesOf(all: Attribute[]): Name[] {
  const names = all
    .filter((attribute) => attribute.type === NAME && attribute.resident && attribute.resident.length >= 66)
    .map((attribute) => attribute.resident!)
    .map((bytes) => ({
      parent: bytes.readUInt32LE(0) + bytes.readUInt16LE(4) * 0x1_0000_0000,
      space: bytes[65]!,
      name: attributes.name(bytes.subarray(66, 66 + bytes[64]! * 2)),
    }));
  const long = names.filter((name) => name.space !== 2);
  return long.length > 0 ? long : names;
}
