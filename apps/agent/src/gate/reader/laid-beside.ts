/** Source → what else it is by marks that leave room for a file system that the gate reads: parts of arrays and of volume
 *  groups, which Linux puts together before it looks for a file system, and file systems that begin further in. Places and
 *  values are those of the formats' own descriptions, or of libblkid's where there is none. */
import type { Source } from "./source.ts";

type Mark = { what: string; at(size: number): number[]; is(bytes: Buffer): boolean };

/** As many bytes as any of them needs. */
const MARK_BYTES = 48;
const KIB = 1024;
const unread = (kind: string) => `${kind}, which the gate does not read`;
const text =
  (value: string, from = 0) =>
  (bytes: Buffer) =>
    bytes.toString("latin1", from, from + value.length) === value;
/** By either order of bytes. */
const number =
  (value: number, from = 0) =>
  (bytes: Buffer) =>
    bytes.readUInt32LE(from) === value || bytes.readUInt32BE(from) === value;
const fixed =
  (...places: number[]) =>
  () =>
    places;

const RAID = 0xa92b_4efc;
const raid = number(RAID);
const LUKS_COPIES = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((kib) => kib * KIB);

const MARKS: readonly Mark[] = [
  {
    what: unread("a part of a RAID of Linux"),
    // by the versions 1.1 and 1.2 of its superblock, 1.0, and 0.90
    at: (size) => [
      0,
      4 * KIB,
      Math.floor((size - 8 * KIB) / (4 * KIB)) * 4 * KIB,
      (Math.floor(size / (64 * KIB)) - 1) * 64 * KIB,
    ],
    is: raid,
  },
  { what: unread("an LVM volume"), at: fixed(0, 512, 1024, 1536), is: text("LABELONE") },
  { what: "encrypted (LUKS)", at: fixed(...LUKS_COPIES), is: text("SKUL\xba\xbe") },
  { what: unread("a part of a RAID by SNIA's DDF"), at: (size) => [size - 512], is: number(0xde11_de11) },
  { what: unread("a part of a RAID by Intel's"), at: (size) => [size - 1024], is: text("Intel Raid ISM Cfg Sig.") },
  { what: unread("a part of a Stratis pool"), at: fixed(512, 9 * 512), is: text("!Stra0tis\x86\xff\x02^\x41rh", 4) },
  {
    what: unread("a UFS file system"),
    at: fixed(...[0, 8, 64, 256].map((kib) => kib * KIB + 1372)),
    is: (bytes) => [0x01_1954, 0x1954_0119].some((value) => number(value)(bytes)),
  },
  { what: unread("an HPFS file system"), at: fixed(8 * KIB), is: number(0xf995_e849) },
  {
    what: unread("a BeFS file system"),
    at: fixed(32, 512 + 32),
    is: (bytes) => text("BFS1")(bytes) || text("1SFB")(bytes),
  },
  { what: unread("a QNX6 file system"), at: fixed(0, 8 * KIB), is: number(0x6819_1122) },
  { what: unread("an OCFS2 file system"), at: fixed(...[1, 2, 4, 8].map((kib) => kib * KIB)), is: text("OCFSV2") },
  { what: unread("a GFS2 file system"), at: fixed(64 * KIB), is: (bytes) => bytes.readUInt32BE(0) === 0x0116_1970 },
  { what: unread("a VxFS file system"), at: fixed(1 * KIB, 8 * KIB), is: number(0xa501_fcf5) },
  { what: unread("a CramFS file system"), at: fixed(512 + 16), is: text("Compressed ROMFS") },
  { what: unread("a Minix file system"), at: fixed(1 * KIB), is: isMinix },
];

/** Its mark is two bytes: what stands beside it must be believable as well. */
function isMinix(bytes: Buffer): boolean {
  if (bytes.readUInt16LE(24) === 0x4d5a)
    return (
      bytes.readUInt32LE(0) > 0 &&
      bytes.readUInt16LE(6) > 0 &&
      bytes.readUInt16LE(8) > 0 &&
      bytes.readUInt16LE(12) === 0
    );
  if (![0x137f, 0x138f, 0x2468, 0x2478].includes(bytes.readUInt16LE(16))) return false;
  const [inodes, maps, zoneMaps] = [0, 4, 6].map((at) => bytes.readUInt16LE(at)) as [number, number, number];
  return (
    inodes > 0 &&
    maps > 0 &&
    zoneMaps > 0 &&
    bytes.readUInt16LE(8) >= 2 + maps + zoneMaps &&
    bytes.readUInt16LE(10) === 0
  );
}

/** In words that follow "is", or null. */
export function laidBeside(source: Source): string | null {
  const found = MARKS.find(({ at, is }) =>
    at(source.size).some((from) => {
      if (from < 0 || from >= source.size) return false;
      const bytes = Buffer.alloc(MARK_BYTES);
      source.read(from, Math.min(MARK_BYTES, source.size - from)).copy(bytes);
      return is(bytes);
    }),
  );
  return found?.what ?? null;
}
