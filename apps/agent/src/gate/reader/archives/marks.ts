/** The marks by which containers are known: those that 7z opens, each by its own type so that nothing else is guessed,
 *  and those that nobody here opens, each with the words for it. Positions and values are those of the formats' own
 *  descriptions, or of libmagic's and 7-Zip's where there is none. */

import type { Source } from "../source.ts";
import { isCompressedMessage, isEncryptedMessage } from "./openpgp.ts";
import { cpioGoesOn, hasCpioMode, isLzw, isOldCpio } from "./short-marks.ts";

const BCACHE = Buffer.from("c68573f64e1a45ca8265f57f48ba6d81", "hex").toString("latin1");

/** envelopedData, as an object identifier (RFC 5652). */
const ENVELOPED = Buffer.from("06092a864886f70d010703", "hex");

export type Mark = { at: number; bytes: Buffer; check?: (head: Buffer) => boolean };

const ascii = (at: number, text: string, check?: Mark["check"]): Mark => ({
  at,
  bytes: Buffer.from(text, "latin1"),
  ...(check ? { check } : {}),
});

/** 7z's name of the type, what people call it, and its mark in the first bytes. */
export const SEVEN: readonly { type: string; name: string; mark: Mark }[] = [
  { type: "7z", name: "7z", mark: ascii(0, "7z\xbc\xaf\x27\x1c") },
  { type: "Rar", name: "RAR", mark: ascii(0, "Rar!\x1a\x07\x00") },
  { type: "Rar5", name: "RAR", mark: ascii(0, "Rar!\x1a\x07\x01\x00") },
  { type: "xz", name: "xz", mark: ascii(0, "\xfd7zXZ\x00") },
  {
    type: "bzip2",
    name: "bzip2",
    mark: ascii(0, "BZh", (head) => head[3]! >= 0x31 && head[3]! <= 0x39 && (head[4] === 0x31 || head[4] === 0x17)),
  },
  { type: "Cab", name: "cabinet", mark: ascii(0, "MSCF\0\0\0\0") },
  { type: "Arj", name: "ARJ", mark: ascii(0, "\x60\xea", (head) => head.length > 10 && head[10] === 2) },
  { type: "Lzh", name: "LHA", mark: ascii(2, "-l", (head) => /^-l[hz][0-9ds]-$/.test(head.toString("latin1", 2, 7))) },
  { type: "Cpio", name: "cpio", mark: ascii(0, "070707") },
  { type: "Cpio", name: "cpio", mark: ascii(0, "\xc7\x71", (head) => isOldCpio(head, "readUInt16LE")) },
  { type: "Cpio", name: "cpio", mark: ascii(0, "\x71\xc7", (head) => isOldCpio(head, "readUInt16BE")) },
  { type: "Rpm", name: "RPM", mark: ascii(0, "\xed\xab\xee\xdb") },
  { type: "Ar", name: "ar", mark: ascii(0, "!<arch>\n") },
  { type: "Xar", name: "xar", mark: ascii(0, "xar!\0") },
  { type: "wim", name: "WIM", mark: ascii(0, "MSWIM\0\0\0") },
  { type: "wim", name: "WIM", mark: ascii(0, "WLPWM\0\0\0") },
  { type: "Chm", name: "CHM", mark: ascii(0, "ITSF\x03\0") },
  { type: "Hxs", name: "compiled help", mark: ascii(0, "ITOLITLS") },
  { type: "Z", name: "compress", mark: ascii(0, "\x1f\x9d", isLzw) },
  { type: "MsLZ", name: "Microsoft's compress", mark: ascii(0, "SZDD\x88\xf0\x27\x33") },
  { type: "lzma", name: "LZMA", mark: ascii(0, "", (head) => lzmaAlone(head)) },
  { type: "lzma86", name: "LZMA", mark: ascii(0, "", (head) => filtered(lzmaAlone)(head)) },
  { type: "VHD", name: "VHD disk image", mark: ascii(0, "conectix") },
  { type: "VHDX", name: "VHDX disk image", mark: ascii(0, "vhdxfile") },
  { type: "VMDK", name: "VMDK disk image", mark: ascii(0, "KDMV") },
  { type: "QCOW", name: "QCOW2 disk image", mark: ascii(0, "QFI\xfb") },
  { type: "VDI", name: "VDI disk image", mark: ascii(64, "\x7f\x10\xda\xbe") },
  { type: "Sparse", name: "Android sparse image", mark: ascii(0, "\x3a\xff\x26\xed\x01\0") },
  { type: "LP", name: "Android super image", mark: ascii(4096, "gDla4\0\0\0") },
  { type: "SquashFS", name: "SquashFS", mark: ascii(0, "hsqs", (head) => head.length >= 96) },
  { type: "SquashFS", name: "SquashFS", mark: ascii(0, "sqsh", (head) => head.length >= 96) },
  { type: "SquashFS", name: "SquashFS", mark: ascii(0, "shsq", (head) => head.length >= 96) },
  { type: "SquashFS", name: "SquashFS", mark: ascii(0, "qshs", (head) => head.length >= 96) },
  { type: "CramFS", name: "CramFS", mark: ascii(16, "Compressed ROMFS") },
  { type: "APFS", name: "APFS", mark: ascii(32, "NXSB\0") },
  { type: "HFS", name: "HFS+", mark: ascii(1024, "H+\0\x04") },
  { type: "HFS", name: "HFSX", mark: ascii(1024, "HX\0\x05") },
  { type: "HFS", name: "HFS", mark: ascii(1024, "BD", hfsClassic) },
];

/** What nobody here opens, in words that follow "is". */
export const CLOSED: readonly { what: string; mark: Mark }[] = [
  { what: "a PPMd archive, which the gate does not unpack", mark: ascii(0, "\x8f\xaf\xac\x84") },
  { what: "an LZ4 archive, which the gate does not unpack", mark: ascii(0, "\x04\x22\x4d\x18") },
  { what: "an LZ4 archive, which the gate does not unpack", mark: ascii(0, "\x02\x21\x4c\x18") },
  { what: "an lzip archive, which the gate does not unpack", mark: ascii(0, "LZIP\x01") },
  { what: "an lzop archive, which the gate does not unpack", mark: ascii(0, "\x89LZO\0\r\n\x1a\n") },
  { what: "an lrzip archive, which the gate does not unpack", mark: ascii(0, "LRZI\0") },
  { what: "a rzip archive, which the gate does not unpack", mark: ascii(0, "RZIP\x02") },
  { what: "a Snappy archive, which the gate does not unpack", mark: ascii(0, "\xff\x06\0\0sNaPpY") },
  { what: "a ZPAQ archive, which the gate does not unpack", mark: ascii(0, "7kSt\xa0\x31\x83\xd3") },
  { what: "a ZPAQ archive, which the gate does not unpack", mark: ascii(0, "zPQ\x01") },
  { what: "an ACE archive, which the gate does not unpack", mark: ascii(7, "**ACE**") },
  { what: "a RAR archive of the first version, which the gate does not unpack", mark: ascii(0, "RE~^") },
  { what: "a StuffIt archive, which the gate does not unpack", mark: ascii(0, "StuffIt (c)") },
  { what: "a StuffIt archive, which the gate does not unpack", mark: ascii(0, "StuffIt!") },
  { what: "a StuffIt archive, which the gate does not unpack", mark: ascii(10, "rLau") },
  { what: "a ZOO archive, which the gate does not unpack", mark: ascii(20, "\xdc\xa7\xc4\xfd") },
  { what: "an ALZ archive, which the gate does not unpack", mark: ascii(0, "ALZ\x01") },
  { what: "an EGG archive, which the gate does not unpack", mark: ascii(0, "EGGA\0\x01") },
  { what: "a FreeArc archive, which the gate does not unpack", mark: ascii(0, "ArC\x01") },
  { what: "a DAR archive, which the gate does not unpack", mark: ascii(0, "\0\0\0\x7b", (head) => head[16] === 0x54) },
  { what: "Microsoft's KWAJ compression, which the gate does not unpack", mark: ascii(0, "KWAJ\x88\xf0\x27\xd1") },
  { what: "Microsoft's old compression, which the gate does not unpack", mark: ascii(0, "SZ \x88\xf0\x27\x33\xd1") },
  {
    what: "the description of a VMDK disk image, whose disk lies in other files",
    mark: ascii(0, "# Disk DescriptorFile"),
  },
  { what: "a VMDK disk image of ESX, which the gate does not open", mark: ascii(0, "COWD\x01\0\0\0") },
  { what: "a QED disk image, which the gate does not open", mark: ascii(0, "QED\0") },
  { what: "a Parallels disk image, which the gate does not open", mark: ascii(0, "WithoutFreeSpace") },
  { what: "a Parallels disk image, which the gate does not open", mark: ascii(0, "WithouFreSpacExt") },
  { what: "a Bochs disk image, which the gate does not open", mark: ascii(0, "Bochs Virtual HD Image") },
  { what: "an image of a whole disk by EnCase, which the gate does not open", mark: ascii(0, "EVF\x09\x0d\x0a\xff\0") },
  {
    what: "a compressed disc image, which the gate does not open",
    mark: ascii(0, "CISO", (head) => head[6] === 0 && head[7] === 0),
  },
  { what: "a raw CD image, which the gate does not open", mark: ascii(0, `\0${"\xff".repeat(10)}\0`) },
  { what: "a sparse image of macOS, which the gate does not open", mark: ascii(0, "sprs\0\0\0\x03") },
  { what: "encrypted (a disk image of macOS)", mark: ascii(0, "encrcdsa\0\0\0") },
  { what: "encrypted (LUKS)", mark: ascii(0, "LUKS\xba\xbe") },
  { what: "encrypted (BitLocker)", mark: ascii(3, "-FVE-FS-") },
  { what: "encrypted (age)", mark: ascii(0, "age-encryption.org/v1") },
  { what: "encrypted (age)", mark: ascii(0, "-----BEGIN AGE ENCRYPTED FILE-----") },
  { what: "encrypted (OpenPGP)", mark: ascii(0, "-----BEGIN PGP MESSAGE-----") },
  { what: "encrypted (OpenPGP)", mark: ascii(0, "", isEncryptedMessage) },
  { what: "a message by OpenPGP, which the gate does not unpack", mark: ascii(0, "", isCompressedMessage) },
  { what: "encrypted (CMS)", mark: ascii(0, "\x30", (head) => head.subarray(1, 24).includes(ENVELOPED)) },
  { what: "encrypted (OpenSSL)", mark: ascii(0, "Salted__") },
  { what: "encrypted (OpenSSL)", mark: ascii(0, "U2FsdGVkX1") },
  { what: "encrypted (AxCrypt)", mark: ascii(0, "\xc0\xb9\x07\x2e\x4f\x93\xf1\x46\xa0\x15\x79\x2c\xa1\xd9\xe8\x21") },
  { what: "encrypted (AES Crypt)", mark: ascii(0, "AES", (head) => head[3]! <= 3 && head[4] === 0) },
  { what: "an LVM volume, which the gate does not read", mark: ascii(512, "LABELONE") },
  { what: "a Btrfs file system, which the gate does not read", mark: ascii(0x1_0040, "_BHRfS_M") },
  { what: "an XFS file system, which the gate does not read", mark: ascii(0, "XFSB\0\0") },
  { what: "an F2FS file system, which the gate does not read", mark: ascii(1024, "\x10\x20\xf5\xf2") },
  { what: "an EROFS file system, which the gate does not read", mark: ascii(1024, "\xe2\xe1\xf5\xe0") },
  { what: "a NILFS file system, which the gate does not read", mark: ascii(1030, "\x34\x34", nilfs) },
  { what: "a ReiserFS file system, which the gate does not read", mark: ascii(0x1_0034, "ReIsEr") },
  { what: "a Reiser4 file system, which the gate does not read", mark: ascii(0x1_0000, "ReIsEr4") },
  { what: "a JFS file system, which the gate does not read", mark: ascii(0x8000, "JFS1") },
  { what: "a bcachefs file system, which the gate does not read", mark: ascii(4120, BCACHE) },
  { what: "a ReFS file system, which the gate does not read", mark: ascii(3, "ReFS\0\0\0\0") },
  { what: "a RomFS file system, which the gate does not read", mark: ascii(0, "-rom1fs-") },
];

/** In the last 512 bytes. */
export const TAILS: readonly ({ at: number; bytes: Buffer } & ({ seven: string; name: string } | { what: string }))[] =
  [
    { at: -512, bytes: Buffer.from("conectix"), seven: "VHD", name: "VHD disk image" },
    { at: -511, bytes: Buffer.from("conectix"), seven: "VHD", name: "VHD disk image" },
    { at: -512, bytes: Buffer.from("koly\0\0\0\x04"), seven: "Dmg", name: "DMG disk image" },
    { at: -276, bytes: Buffer.from("cdsaencr"), what: "encrypted (a disk image of macOS)" },
    { at: -12, bytes: Buffer.from("NER5"), what: "a Nero disc image, which the gate does not open" },
  ];

export const fits = (head: Buffer, { at, bytes, check }: Mark): boolean =>
  head.length >= at + bytes.length && head.subarray(at, at + bytes.length).equals(bytes) && (check?.(head) ?? true);

/** As many first bytes as any mark needs. */
export const HEAD_BYTES = 68 * 1024;

/** The header has no mark of its own: properties, a dictionary of a usual size, a believable length, and the zero that the
 *  packed bytes begin with; what 7-Zip asks for, as it opens no other. */
function isLzma(head: Buffer): boolean {
  if (head.length < 18 || head[0]! >= 225 || head[13] !== 0) return false;
  const dictionary = head.readUInt32LE(1);
  const power = dictionary !== 0 && Number.isInteger(Math.log2(dictionary));
  const between = dictionary !== 0 && dictionary % 3 === 0 && Number.isInteger(Math.log2(dictionary / 3));
  if (!(power || between || dictionary === 0xffff_ffff)) return false;
  const [low, high] = [head.readUInt32LE(5), head.readUInt32LE(9)];
  if (low === 0xffff_ffff && high === 0xffff_ffff) return true;
  return (low > 0 || high > 0) && high < 2 ** 24 && head[14]! < 0x80;
}

/** Of more than any packer writes: among ordinary files the caches of icons look so, and 7-Zip has the word. */
const isVast = (head: Buffer): boolean => head.readUInt32LE(9) >= 64 && head.readUInt32LE(9) !== 0xffff_ffff;
const lzmaAlone = (head: Buffer): boolean => isLzma(head) && !isVast(head);
const lzmaVast = (head: Buffer): boolean => isLzma(head) && isVast(head);
const filtered = (is: (head: Buffer) => boolean) => (head: Buffer) => head[0]! <= 1 && is(head.subarray(1));

/** Looked at where nothing else is found; what 7z does not open as that is none. */
export const DOUBTFUL: readonly { type: string; name: string; mark: Mark; more?: (source: Source) => boolean }[] = [
  { type: "lzma", name: "LZMA", mark: ascii(0, "", lzmaVast) },
  { type: "lzma86", name: "LZMA", mark: ascii(0, "", filtered(lzmaVast)) },
  // with a name that ends elsewhere than it says
  ...(["readUInt16LE", "readUInt16BE"] as const).map((word) => ({
    ...{ type: "Cpio", name: "cpio" },
    mark: ascii(0, word === "readUInt16LE" ? "\xc7\x71" : "\x71\xc7", (head) => hasCpioMode(head, word)),
    more: (source: Source) => cpioGoesOn(source, word),
  })),
];

function hfsClassic(head: Buffer): boolean {
  const block = head.readUInt32BE(1024 + 20);
  return head.readUInt16BE(1024 + 18) > 0 && block > 0 && block % 512 === 0 && block < 2 ** 28;
}

function nilfs(head: Buffer): boolean {
  return head.readUInt32LE(1024) === 2;
}
