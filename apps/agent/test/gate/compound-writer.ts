/** Compound files ([MS-CFB]) as Office, Outlook and Windows' own thumbnails are: storages, streams, small ones in the root's. */

export type Storage = { [name: string]: string | Buffer | Storage };

const SECTOR = 512;
const MINI = 64;
const MINI_BELOW = 4096;
const END = 0xffff_fffe;
const NONE = 0xffff_ffff;

type Entry = { name: string; type: number; child: number; right: number; content: Buffer; start: number };

/** Storages are objects, streams are bytes. Streams may be up to a few hundred kilobytes all together. */
export function compoundFile(root: Storage, classId = Buffer.alloc(16)): Buffer {
  const entries: Entry[] = [];
  const list = (name: string, what: string | Buffer | Storage, type: number): number => {
    const isStorage = typeof what === "object" && !Buffer.isBuffer(what);
    const content = isStorage ? Buffer.alloc(0) : Buffer.from(what as string | Buffer);
    const mine = { name, type, child: NONE, right: NONE, content, start: END };
    const at = entries.push(mine) - 1;
    let last: Entry | null = null;
    for (const [inner, value] of isStorage ? Object.entries(what as Storage) : []) {
      const stored = typeof value === "object" && !Buffer.isBuffer(value);
      const next = list(inner, value, stored ? 1 : 2);
      if (last === null) mine.child = next;
      else last.right = next;
      last = entries[next]!;
    }
    return at;
  };
  list("Root Entry", root, 5);

  const table: number[] = [];
  const sectors: Buffer[] = [];
  const lay = (bytes: Buffer): number => {
    const first = sectors.length;
    const count = Math.ceil(bytes.length / SECTOR);
    for (let at = 0; at < count; at++) {
      const sector = Buffer.alloc(SECTOR);
      bytes.copy(sector, 0, at * SECTOR);
      sectors.push(sector);
      table.push(at + 1 < count ? first + at + 1 : END);
    }
    return count === 0 ? END : first;
  };
  const small: Buffer[] = [];
  const smallTable: number[] = [];
  for (const entry of entries) {
    if (entry.type !== 2 || entry.content.length === 0) continue;
    if (entry.content.length >= MINI_BELOW) {
      entry.start = lay(entry.content);
      continue;
    }
    entry.start = smallTable.length;
    const count = Math.ceil(entry.content.length / MINI);
    for (let at = 0; at < count; at++) smallTable.push(at + 1 < count ? smallTable.length + 1 : END);
    small.push(Buffer.concat([entry.content, Buffer.alloc(count * MINI - entry.content.length)]));
  }
  const [top] = entries;
  top!.content = Buffer.concat(small);
  top!.start = lay(top!.content);
  const smallAt = lay(numbers(smallTable));
  const directory = Buffer.concat(entries.map((entry) => entryBytes(entry, classId)));
  const directoryAt = lay(padded(directory, SECTOR));
  // the table's own sectors are in it
  const tableSectors = Math.ceil((table.length + 8) / (SECTOR / 4));
  const tableAt = sectors.length;
  for (let at = 0; at < tableSectors; at++) table.push(0xffff_fffd);
  sectors.push(padded(numbers(table), SECTOR * tableSectors, 0xff));

  const head = Buffer.alloc(SECTOR, 0xff);
  Buffer.from("d0cf11e0a1b11ae1", "hex").copy(head);
  head.fill(0, 8, 76);
  for (const [at, value] of [
    [24, 0x3e],
    [26, 3],
    [28, 0xfffe],
    [30, 9],
    [32, 6],
  ] as const)
    head.writeUInt16LE(value, at);
  const wide = [
    [44, tableSectors],
    [48, directoryAt],
    [56, MINI_BELOW],
    [60, smallAt],
    [68, END],
  ] as const;
  for (const [at, value] of wide) head.writeUInt32LE(value, at);
  head.writeUInt32LE(Math.ceil((smallTable.length * 4) / SECTOR), 64);
  for (let at = 0; at < tableSectors; at++) head.writeUInt32LE(tableAt + at, 76 + at * 4);
  return Buffer.concat([head, ...sectors]);
}

function entryBytes({ name, type, child, right, content, start }: Entry, classId: Buffer): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.write(name, "utf16le");
  bytes.writeUInt16LE((name.length + 1) * 2, 64);
  bytes[66] = type;
  bytes[67] = 1;
  bytes.writeUInt32LE(NONE, 68);
  bytes.writeUInt32LE(right, 72);
  bytes.writeUInt32LE(child, 76);
  if (type === 5) classId.copy(bytes, 80);
  bytes.writeUInt32LE(type === 1 ? 0 : start, 116);
  bytes.writeUInt32LE(content.length, 120);
  return bytes;
}

const padded = (bytes: Buffer, to: number, fill = 0): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to, fill)]);

function numbers(values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    bytes.writeUInt32LE(value, at * 4);
  });
  return bytes;
}
