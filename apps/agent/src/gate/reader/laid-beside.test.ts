import { describe, expect, it } from "vitest";
import { laidBeside } from "./laid-beside.ts";
import { bytesSource } from "./source.ts";

const SIZE = 8 * 1024 * 1024 + 3 * 512;
const marked = (at: number, mark: string | number[]): Buffer => {
  const bytes = Buffer.alloc(SIZE);
  bytes.set(typeof mark === "string" ? Buffer.from(mark, "latin1") : mark, at);
  return bytes;
};
const RAID = [0xfc, 0x4e, 0x2b, 0xa9];
const minix = (at: Record<number, number>) => {
  const bytes = Buffer.alloc(SIZE);
  for (const [place, value] of Object.entries(at)) bytes.writeUInt16LE(value, 1024 + Number(place));
  return bytes;
};

describe("what a range is beside a file system", () => {
  it.each<[string, Buffer]>([
    ["a part of a RAID of Linux, which the gate does not read", marked(0, RAID)],
    ["a part of a RAID of Linux, which the gate does not read", marked(4096, RAID)],
    // the last multiple of 4 KiB that is 8 KiB before the end, and of 64 KiB with as much behind it
    ["a part of a RAID of Linux, which the gate does not read", marked(8 * 1024 * 1024 - 8192, RAID)],
    ["a part of a RAID of Linux, which the gate does not read", marked(8 * 1024 * 1024 - 65_536, [...RAID].reverse())],
    ["an LVM volume, which the gate does not read", marked(1536, "LABELONE")],
    ["encrypted (LUKS)", marked(16_384, "SKUL\xba\xbe")],
    ["encrypted (LUKS)", marked(4 * 1024 * 1024, "SKUL\xba\xbe")],
    ["a part of a RAID by SNIA's DDF, which the gate does not read", marked(SIZE - 512, [0xde, 0x11, 0xde, 0x11])],
    ["a part of a RAID by Intel's, which the gate does not read", marked(SIZE - 1024, "Intel Raid ISM Cfg Sig. 1.0")],
    ["a part of a Stratis pool, which the gate does not read", marked(516, "!Stra0tis\x86\xff\x02^\x41rh")],
    ["a UFS file system, which the gate does not read", marked(65_536 + 1372, [0x19, 0x01, 0x54, 0x19])],
    ["an HPFS file system, which the gate does not read", marked(8192, [0x49, 0xe8, 0x95, 0xf9])],
    ["a BeFS file system, which the gate does not read", marked(544, "1SFB")],
    ["a QNX6 file system, which the gate does not read", marked(8192, [0x22, 0x11, 0x19, 0x68])],
    ["an OCFS2 file system, which the gate does not read", marked(8192, "OCFSV2")],
    ["a GFS2 file system, which the gate does not read", marked(65_536, [0x01, 0x16, 0x19, 0x70])],
    ["a VxFS file system, which the gate does not read", marked(1024, [0xf5, 0xfc, 0x01, 0xa5])],
    ["a CramFS file system, which the gate does not read", marked(528, "Compressed ROMFS")],
    ["a Minix file system, which the gate does not read", minix({ 0: 352, 2: 1024, 4: 1, 6: 1, 8: 26, 16: 0x138f })],
    ["a Minix file system, which the gate does not read", minix({ 0: 352, 6: 1, 8: 1, 10: 15, 20: 1024, 24: 0x4d5a })],
  ])("is told: %s", (what, bytes) => {
    expect(laidBeside(bytesSource(bytes))).toBe(what);
  });

  it("is nothing in zeros, in a text, at another place, or by a mark of two bytes alone", () => {
    const none: Buffer[] = [Buffer.alloc(0), Buffer.alloc(100), Buffer.alloc(SIZE), Buffer.alloc(SIZE, "LABELON ")];
    none.push(marked(512 * 5, "LABELONE"), marked(4100, RAID), minix({ 16: 0x138f }), minix({ 24: 0x4d5a }));
    expect(none.map((bytes) => laidBeside(bytesSource(bytes)))).toEqual(none.map(() => null));
  });
});
