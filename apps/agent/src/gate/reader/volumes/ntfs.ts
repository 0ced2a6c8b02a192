/** NTFS, by its master file table from end to end rather than by its folders' indexes, so that a record no index names
 *  is listed as well. Layout after the Linux-NTFS project's documentation. */
import { Damaged, type Source, u64 } from "../source.ts";
import { type Bounds, type Entry, fileEntry, join, powerOfTwo, reason, type Volume } from "../volume.ts";
import { namedIn } from "./ntfs-index.ts";
import { isOrdinary, isOwnName } from "./ntfs-own.ts";
import {
  type Attribute,
  attributes,
  contentOf,
  type MftRecord,
  type NtfsLayout,
  openTable,
  type Table,
} from "./ntfs-record.ts";

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
  const problem =
    bytes > source.size
      ? `the file system claims ${bytes} bytes, the medium has ${source.size}`
      : endsOtherwise(source, boot)
        ? "it ends with a boot sector that says otherwise than its first one, which Linux turns to"
        : null;
  return {
    fileSystem: "ntfs",
    bytes,
    ...(label ? { label } : {}),
    ...(problem === null ? {} : { problem }),
    entries: (bounds) => walk(layout, table, bounds),
  };
}

/** Whether the last sector is a boot sector by which the volume is another one: where its tables are, and how large its parts. */
function endsOtherwise(source: Source, boot: Buffer): boolean {
  const last = source.read(source.size - 512, 512);
  const said = (sector: Buffer): Buffer => Buffer.concat([sector.subarray(11, 14), sector.subarray(40, 72)]);
  return last.toString("latin1", 3, 11) === "NTFS    " && !said(last).equals(said(boot));
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
      if (!record?.folder || record.part) continue;
      bounds.take();
      const [name] = namesOf(allAttributes(table, record.attributes, layout));
      if (name && number !== ROOT) folders.set(number, name);
    } catch (error) {
      reason(error); // the second pass lists it with the reason
    }
  }
  const claimed = new Set<number>();
  const parts: number[] = [];
  for (let number = 0; number < table.count; number++) {
    try {
      const record = table.record(number);
      if (record === null) continue;
      if (record.part) {
        parts.push(number);
        continue;
      }
      if (number < OWN_RECORDS && number !== ROOT) {
        const all = allAttributes(table, record.attributes, layout, claimed);
        yield* ownStreams(layout, all, number);
        yield* hiddenNames(layout, table, all, number, Buffer.from(`$Own/record-${number}`), bounds);
      } else yield* entriesOf(layout, table, folders, { number, ...record }, claimed, bounds);
    } catch (error) {
      yield fileEntry(Buffer.from(`$Orphan/record-${number}`), 0, () => layout.source, reason(error));
    }
  }
  // what opens a file by its record's number alone may open such a one
  for (const number of parts) {
    if (claimed.has(number)) continue;
    bounds.take();
    const problem = "is a part of another record, whose list does not name it";
    yield fileEntry(Buffer.from(`$Orphan/record-${number}`), 0, () => layout.source, problem);
  }
}

/** What somebody put on the volume's own files is content as any other: it has no name there, and an index may give it one. */
function* ownStreams(layout: NtfsLayout, all: Attribute[], number: number): Generator<Entry> {
  for (const parts of streamsOf(all)) {
    const { name } = parts[0]!;
    if (isOrdinary(number, name.toString(), parts, () => contentOf(layout, parts))) continue;
    const path = Buffer.concat([Buffer.from(`$Own/record-${number}${name.length === 0 ? "" : ":"}`), name]);
    yield fileEntry(path, sizeOf(parts), () => contentOf(layout, parts));
  }
}

/** An index that gives one of the volume's own files a name makes a file of what is not listed as one; so does one that names
 *  a record behind the table's end, where Linux reads on as far as the table has room. */
function* hiddenNames(
  layout: NtfsLayout,
  table: Table,
  all: Attribute[],
  folder: number,
  path: Buffer,
  bounds: Bounds,
): Generator<Entry> {
  for (const { record, name } of namedIn(layout, all, (number) => number < OWN_RECORDS || number >= table.count)) {
    if (folder === ROOT && isOwnName(record, name.toString())) continue;
    bounds.take();
    const what = record < OWN_RECORDS ? "the volume's own record" : "a record behind the table's end,";
    yield fileEntry(join(path, name, 0), 0, () => layout.source, `is a name for ${what} ${record}`);
  }
}

const streamsOf = (all: Attribute[]): Attribute[][] => [
  ...Map.groupBy(
    all.filter((attribute) => attribute.type === DATA),
    (attribute) => attribute.name.toString("hex"),
  ).values(),
];

const sizeOf = (parts: Attribute[]): number => parts.reduce((most, part) => Math.max(most, part.size), 0);

function* entriesOf(
  layout: NtfsLayout,
  table: Table,
  folders: Folders,
  { number, folder, attributes: own }: MftRecord & { number: number },
  claimed: Set<number>,
  bounds: Bounds,
): Generator<Entry> {
  const all = allAttributes(table, own, layout, claimed);
  const names = namesOf(all);
  const streams = streamsOf(all);
  const reparse = all.find((attribute) => attribute.type === REPARSE);
  const paths = number === ROOT ? [Buffer.alloc(0)] : names.map((name) => pathOf(folders, name));
  if (paths.length === 0) {
    if (streams.length === 0) return;
    paths.push(Buffer.from(`$Orphan/record-${number}`));
  }
  yield* hiddenNames(layout, table, all, number, paths[0]!, bounds);
  for (const path of paths) {
    bounds.take();
    if (folder) yield { path, kind: "folder", size: 0, content: null };
    else if (reparse) yield reparsed(path, reparse);
    for (const parts of streams) {
      const { name } = parts[0]!;
      const full = name.length === 0 ? path : Buffer.concat([path, Buffer.from(":"), name]);
      const size = sizeOf(parts);
      if (reparse && name.length === 0 && size === 0 && parts.length === 1) continue;
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

/** A record that is full keeps attributes in other records, named by its list. `claimed`: those records, added to.
 *  @throws Damaged where the list and what there is disagree: some systems go by the one, some by the other */
function allAttributes(table: Table, own: Attribute[], layout: NtfsLayout, claimed?: Set<number>): Attribute[] {
  const lists = own.filter((attribute) => attribute.type === LIST);
  const [list] = lists;
  if (!list) return own;
  const bytes = readWhole(contentOf(layout, lists));
  const named = new Map<string, number>();
  for (let at = 0; at < bytes.length; ) {
    const length = at + 26 <= bytes.length ? bytes.readUInt16LE(at + 4) : 0;
    if (length < 26) throw new Damaged("has a list of attributes that breaks off");
    const record = bytes.readUInt32LE(at + 16) + bytes.readUInt16LE(at + 20) * 0x1_0000_0000;
    named.set(keyOf(record, bytes.readUInt32LE(at), bytes.readUInt16LE(at + 24)), record);
    at += length;
  }
  const all = [...own];
  for (const number of new Set(named.values())) {
    if (number === list.record) continue;
    claimed?.add(number);
    const record = table.record(number);
    if (!record) throw new Damaged(`keeps attributes in record ${number}, which is not in use`);
    all.push(...record.attributes);
  }
  const found = new Set(
    all.filter((attribute) => attribute.type !== LIST).map(({ record, type, id }) => keyOf(record, type, id)),
  );
  for (const key of found) if (!named.has(key)) throw new Damaged("has an attribute that its list does not name");
  for (const key of named.keys())
    if (!found.has(key)) throw new Damaged("has a list that names an attribute which is not there");
  return all;
}

const keyOf = (record: number, type: number, id: number): string => `${record}:${type}:${id}`;

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
