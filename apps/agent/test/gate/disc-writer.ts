/** Discs by ISO 9660 (ECMA-119) that no program would make: each record, descriptor and path table is said. */

export const SECTOR = 2048;

export type DiscRecord = {
  name: string | Buffer;
  block: number;
  bytes: number;
  /** 2: a folder; 0x80: goes on in the next record. */
  flags?: number;
  /** Blocks of extended attributes before the content. */
  attributes?: number;
  /** Of an interleaved file: blocks of it, blocks that are not. */
  units?: [number, number];
  system?: Buffer;
};

/** Each as it is in one tree: folders by the block in which they begin, of records and of bytes as they are. */
export type DiscTree = {
  root: number;
  folders: Record<number, (DiscRecord | Buffer)[]>;
  /** Every folder but the root; `parent` counts from 1, the root. */
  paths?: { name: string; block: number; parent: number }[];
  /** The same for the other order of bytes. */
  bigPaths?: DiscTree["paths"];
};

export type Disc = {
  primary: DiscTree;
  joliet?: DiscTree;
  /** By the block in which it begins. */
  content: Record<number, string | Buffer>;
  /** What stands from sector 16 on, out of the usual descriptors. */
  order?: (primary: Buffer, joliet: Buffer, end: Buffer) => Buffer[];
};

const BLOCKS = 200;
/** The usual descriptors' tables, behind everything else. */
const TABLES = { primary: [190, 191], joliet: [192, 193] } as const;

const both16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
};
const both32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
};

export function discRecord(said: DiscRecord): Buffer {
  const { name, block, bytes, flags = 0, attributes = 0, units = [0, 0], system = Buffer.alloc(0) } = said;
  const label = Buffer.isBuffer(name) ? name : Buffer.from(name, "latin1");
  const parts = [both32(block), both32(bytes), Buffer.alloc(7), Buffer.from([flags, ...units]), both16(1)];
  const padding = Buffer.alloc(label.length % 2 === 0 ? 1 : 0);
  const record = Buffer.concat([
    Buffer.from([0, attributes]),
    ...parts,
    Buffer.from([label.length]),
    label,
    padding,
    system,
  ]);
  const whole = Buffer.concat([record, Buffer.alloc(record.length % 2)]);
  whole[0] = whole.length;
  return whole;
}

/** `type` 1: primary; 2: a further one, here always Joliet. */
function descriptor(type: number, root: number, table: readonly number[], tableBytes: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.write(`${String.fromCharCode(type)}CD001\x01`, "latin1");
  sector.fill(" ", 8, 72);
  if (type === 2) sector.write("%/E", 88);
  both32(BLOCKS).copy(sector, 80);
  both16(SECTOR).copy(sector, 128);
  both32(tableBytes).copy(sector, 132);
  sector.writeUInt32LE(table[0]!, 140);
  sector.writeUInt32BE(table[1]!, 148);
  discRecord({ name: "\0", block: root, bytes: SECTOR, flags: 2 }).copy(sector, 156);
  return sector;
}

function pathTable(root: number, paths: NonNullable<DiscTree["paths"]>, big: boolean): Buffer {
  return Buffer.concat(
    [{ name: "\0", block: root, parent: 1 }, ...paths].map(({ name, block, parent }) => {
      const record = Buffer.alloc(8 + name.length + (name.length % 2));
      record[0] = name.length;
      if (big) record.writeUInt32BE(block, 2);
      else record.writeUInt32LE(block, 2);
      if (big) record.writeUInt16BE(parent, 6);
      else record.writeUInt16LE(parent, 6);
      record.write(name, 8, "latin1");
      return record;
    }),
  );
}

/** A name as Joliet has it. */
export const joliet = (name: string): Buffer => Buffer.from(name, "utf16le").swap16();

/** Rock Ridge: which kind, as `stat` says it. */
export const mode = (bits: number): Buffer =>
  Buffer.concat([Buffer.from("PX\x24\x01", "latin1"), ...[bits, 1, 0, 0].map(both32)]);
export const alternate = (name: string): Buffer =>
  Buffer.from(`NM${String.fromCharCode(5 + name.length)}\x01\0${name}`);
export const linkTo = (name: string): Buffer =>
  Buffer.from(`SL${String.fromCharCode(7 + name.length)}\x01\0\0${String.fromCharCode(name.length)}${name}`);
export const childAt = (block: number): Buffer => Buffer.concat([Buffer.from("CL\x0c\x01", "latin1"), both32(block)]);
export const compressed = (bytes: number): Buffer =>
  Buffer.concat([Buffer.from("ZF\x10\x01pz\x04\x0f", "latin1"), both32(bytes)]);
export const ROCK_RIDGE = Buffer.from("SP\x07\x01\xbe\xef\0", "latin1");
const TERMINATOR = Buffer.concat([Buffer.from("\xffCD001\x01", "latin1"), Buffer.alloc(SECTOR - 7)]);

export function discImage({ primary, joliet: other, content, order }: Disc): Buffer {
  const image = Buffer.alloc(BLOCKS * SECTOR);
  const put = (block: number, bytes: Buffer) => bytes.copy(image, block * SECTOR);
  const lay = (type: number, tree: DiscTree, [little, big]: readonly [number, number]): Buffer => {
    for (const [block, records] of Object.entries(tree.folders)) {
      const self = { block: Number(block), bytes: SECTOR, flags: 2 };
      const isOwn = (record: DiscRecord | Buffer) => !Buffer.isBuffer(record) && record.name === "\0";
      const own = records.find(isOwn) ?? { ...self, name: "\0" };
      const up = { ...self, block: tree.root, name: "\x01" };
      const others = records.filter((record) => !isOwn(record));
      const bytes = [own, up, ...others].map((record) => (Buffer.isBuffer(record) ? record : discRecord(record)));
      put(Number(block), Buffer.concat(bytes));
    }
    const table = pathTable(tree.root, tree.paths ?? [], false);
    put(little, table);
    put(big, pathTable(tree.root, tree.bigPaths ?? tree.paths ?? [], true));
    return descriptor(type, tree.root, [little, big], table.length);
  };
  const first = lay(1, primary, TABLES.primary);
  const second = lay(2, other ?? { root: primary.root, folders: {} }, TABLES.joliet);
  const usual = other ? [first, second, TERMINATOR] : [first, TERMINATOR];
  (order?.(first, second, TERMINATOR) ?? usual).forEach((sector, index) => {
    put(16 + index, sector);
  });
  for (const [block, bytes] of Object.entries(content)) put(Number(block), Buffer.from(bytes));
  return image;
}
