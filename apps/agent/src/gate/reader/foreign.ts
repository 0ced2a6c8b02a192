/** What else a range may be, so that a person is told more than "unknown". */
import type { Source } from "./source.ts";

const MARKS: [string, number, Buffer][] = [
  ["LUKS encryption, which the gate cannot open", 0, Buffer.from("LUKS\xba\xbe", "latin1")],
  ["BitLocker encryption, which the gate cannot open", 3, Buffer.from("-FVE-FS-")],
  ["an LVM volume, which the gate does not read", 512, Buffer.from("LABELONE")],
  ["a Btrfs file system, which the gate does not read", 0x1_0040, Buffer.from("_BHRfS_M")],
  ["an XFS file system, which the gate does not read", 0, Buffer.from("XFSB")],
  ["an F2FS file system, which the gate does not read", 1024, Buffer.from([0x10, 0x20, 0xf5, 0xf2])],
  ["an HFS+ file system, which the gate does not read", 1024, Buffer.from("H+")],
  ["an APFS file system, which the gate does not read", 32, Buffer.from("NXSB")],
  ["a SquashFS file system, which the gate does not read", 0, Buffer.from("hsqs")],
  ["swap space", 4086, Buffer.from("SWAPSPACE2")],
];

export function foreign(source: Source): string {
  for (const [what, at, mark] of MARKS) {
    if (source.size >= at + mark.length && source.read(at, mark.length).equals(mark)) return what;
  }
  return "no file system that the gate reads";
}
