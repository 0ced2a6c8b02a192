/** Which archive a file is, by its bytes: what the gate opens itself, what 7z opens for it. */
import type { Source } from "../source.ts";
import { isTar } from "./tar.ts";

export type ArchiveFormat = "zip" | "gzip" | "zstd" | "tar" | "iso" | "other";

const starts = (head: Buffer, bytes: number[], at = 0): boolean =>
  head.length >= at + bytes.length && bytes.every((byte, index) => head[at + index] === byte);

/** Formats that only 7z reads. */
const OTHER: [number[], number][] = [
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], 0], // 7z
  [[0x52, 0x61, 0x72, 0x21, 0x1a, 0x07], 0], // rar
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 0], // xz
  [[0x42, 0x5a, 0x68], 0], // bzip2; checked further below
  [[0x4d, 0x53, 0x43, 0x46], 0], // cab
  [[0x60, 0xea], 0], // arj; checked further below
  [[0x30, 0x37, 0x30, 0x37, 0x30], 0], // cpio
  [[0xed, 0xab, 0xee, 0xdb], 0], // rpm
  [[0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a], 0], // ar, deb
  [[0x4d, 0x53, 0x57, 0x49, 0x4d, 0x00], 0], // wim
  [[0x49, 0x54, 0x53, 0x46], 0], // chm
  [[0x1f, 0x9d], 0], // compress
  [[0x4c, 0x5a, 0x49, 0x50], 0], // lzip
];

export function archiveFormat(head: Buffer, source: Source | null): ArchiveFormat | null {
  if (starts(head, [0x50, 0x4b, 3, 4]) || starts(head, [0x50, 0x4b, 5, 6]) || starts(head, [0x50, 0x4b, 7, 8]))
    return "zip";
  if (starts(head, [0x1f, 0x8b, 8])) return "gzip";
  if (starts(head, [0x28, 0xb5, 0x2f, 0xfd])) return "zstd";
  if (isTar(head)) return "tar";
  if (starts(head, [0x42, 0x5a, 0x68]))
    return head[3]! >= 0x31 && head[3]! <= 0x39 && head[4] === 0x31 ? "other" : null;
  if (starts(head, [0x60, 0xea])) return head.length > 10 && head[10] === 2 ? "other" : null;
  if (/^-l[hz][0-9ds]-$/.test(head.toString("latin1", 2, 7))) return "other";
  if (OTHER.some(([bytes, at]) => starts(head, bytes, at))) return "other";
  if (source === null) return null;
  if (source.size > 34_816 && source.read(32_769, 5).toString("latin1") === "CD001") return "iso";
  // a zip behind something else: a self-unpacking program, a picture with a tail
  if (source.size >= 22 && source.read(source.size - 22, 4).readUInt32LE(0) === 0x0605_4b50) return "zip";
  if (starts(head, [0x4d, 0x5a]) && zipTail(source)) return "zip";
  return null;
}

function zipTail(source: Source): boolean {
  const length = Math.min(source.size, 65_535 + 22);
  return source.read(source.size - length, length).lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6])) >= 0;
}
