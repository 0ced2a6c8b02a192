/** Which containers a file is, by its bytes: each reading that some program could make of it, what the gate opens itself,
 *  what 7z opens for it, and what nobody here opens. */

import { isCompound, isInstaller } from "../documents/compound.ts";
import { looksHtml } from "../documents/html.ts";
import { documentHead } from "../documents/locked.ts";
import type { Source } from "../source.ts";
import { isCpio } from "./cpio.ts";
import { disk, diskHead } from "./disk.ts";
import { embedded, lockedRar } from "./embedded.ts";
import { CLOSED, DOUBTFUL, fits, SEVEN, TAILS } from "./marks.ts";
import { namesProgram } from "./short-marks.ts";
import { isTar } from "./tar.ts";
import { endsAsZip } from "./zip-directory.ts";

export type Container =
  | { how: "zip" | "gzip" | "zstd" | "tar" | "cpio" | "disk" }
  /** By 7z and no other type of it; from this byte on, to the end where no length is known. */
  | { how: "seven"; type: string; name: string; from: number; bytes?: number; doubtful?: true }
  | { how: "closed"; what: string };

/** As many last bytes as are looked at. */
export const TAIL_BYTES = 65_535 + 22;

const starts = (head: Buffer, ...bytes: number[]): boolean =>
  head.length >= bytes.length && bytes.every((byte, index) => head[index] === byte);
const ZIP = [
  [0x50, 0x4b, 3, 4],
  [0x50, 0x4b, 5, 6],
  [0x50, 0x4b, 7, 8],
] as const;
const ZIP_END = Buffer.from([0x50, 0x4b, 5, 6]);
const isZip = (head: Buffer): boolean => ZIP.some((mark) => starts(head, ...mark));
const isScript = (head: Buffer): boolean => starts(head, 0x23, 0x21);
/** A disc's other file system; 7z reads it, the gate's own reader does not. */
const isUdf = (head: Buffer): boolean =>
  [0, 1, 2, 3, 4, 5, 6, 7, 8].some((index) =>
    /^(BEA01|NSR0[23])/.test(head.toString("latin1", 32_769 + index * 2048, 32_774 + index * 2048)),
  );

function byHead(head: Buffer): Container[] {
  const found: Container[] = [];
  if (isZip(head)) found.push({ how: "zip" });
  if (starts(head, 0x1f, 0x8b, 8)) found.push({ how: "gzip" });
  if (starts(head, 0x28, 0xb5, 0x2f, 0xfd) || (starts(head.subarray(1), 0x2a, 0x4d, 0x18) && head[0]! >> 4 === 5))
    found.push({ how: "zstd" });
  if (isTar(head)) found.push({ how: "tar" });
  if (isCpio(head)) found.push({ how: "cpio" });
  for (const { type, name, mark } of SEVEN) if (fits(head, mark)) found.push({ how: "seven", type, name, from: 0 });
  if (isUdf(head)) found.push({ how: "seven", type: "Udf", name: "UDF", from: 0 });
  for (const { what, mark } of CLOSED) if (fits(head, mark)) found.push({ how: "closed", what });
  return found.map((each) =>
    each.how === "seven" && each.name === "RAR" && lockedRar(head) ? { how: "closed", what: "encrypted" } : each,
  );
}

/** Whether its first bytes make it worth keeping something that comes as a stream. */
export const headTells = (head: Buffer): boolean =>
  byHead(head).length > 0 || DOUBTFUL.some(({ mark }) => fits(head, mark)) || diskHead(head) || isScript(head);

/** A VHD that is the disk itself and a footer: what the disk's own reader finds is all there is. */
const isFixed = (tail: Buffer, size: number): boolean => {
  const footer = tail.subarray(-512);
  return footer.readUInt32BE(60) === 2 && footer.readBigUInt64BE(48) === BigInt(size - 512);
};

const gptTail = (tail: Buffer): boolean =>
  [512, 4096].some((sector) => tail.subarray(-sector).toString("latin1", 0, 8) === "EFI PART");

/** Whether its last bytes do. */
export const tailTells = (tail: Buffer): boolean =>
  tail.includes(ZIP_END) ||
  gptTail(tail) ||
  TAILS.some(({ at, bytes }) => tail.subarray(at).subarray(0, bytes.length).equals(bytes));

/** `places`: where something inside may begin (embedded.ts). */
export function containers(head: Buffer, source: Source, places: readonly number[]): Container[] {
  const found = byHead(head);
  const add = (container: Container) => {
    const same = (each: Container) =>
      each.how === container.how &&
      (each.how !== "seven" || (container.how === "seven" && each.type === container.type));
    if (!found.some(same)) found.push(container);
  };
  const tail = source.read(Math.max(0, source.size - TAIL_BYTES), Math.min(source.size, TAIL_BYTES));
  if ((diskHead(head) || gptTail(tail)) && disk(source) !== null) add({ how: "disk" });
  for (const mark of TAILS) {
    if (!tail.subarray(mark.at).subarray(0, mark.bytes.length).equals(mark.bytes)) continue;
    if ("what" in mark) add({ how: "closed", what: mark.what });
    else if (mark.seven !== "VHD" || !(isFixed(tail, source.size) && found.some(({ how }) => how === "disk")))
      add({ how: "seven", type: mark.seven, name: mark.name, from: 0 });
  }
  if (isCompound(head) && isInstaller(source)) add({ how: "seven", type: "Compound", name: "an MSI package", from: 0 });
  // a zip behind something else; what carries one without saying so is opened, what lies in a container is that one's own
  if (!isZip(head) && tail.includes(ZIP_END) && endsAsZip(source)) add({ how: "zip" });
  if (found.length === 0) found.push(...embedded(source, places));
  if (found.length === 0 && namesProgram(head) && holdsZero(source))
    found.push({ how: "closed", what: "a script with something packed behind it, which the gate does not unpack" });
  for (const { type, name, mark, more } of DOUBTFUL)
    if (found.length === 0 && fits(head, mark) && (more?.(source) ?? true))
      found.push({ how: "seven", type, name, from: 0, doubtful: true });
  return found;
}

const FILE_SYSTEMS = new Set(["Udf", "SquashFS", "CramFS", "APFS", "HFS"]);
const DISK_TYPES = new Set(["application/octet-stream", "application/x-iso9660-image"]);

/** Whether a file is a disk to everybody, so that its files and its bytes are all there is to it: it is no container but
 *  file systems, and begins as nothing that a system runs or shows. A region of a disk is no file, whatever it begins as. */
export const onlyDisk = (found: readonly Container[], head: Buffer, type: string, region: boolean): boolean =>
  found.every((each) => each.how === "disk" || (each.how === "seven" && FILE_SYSTEMS.has(each.type))) &&
  (region || (found.length > 0 && DISK_TYPES.has(type) && !isScript(head) && !documentHead(head) && !looksHtml(head)));

function holdsZero(source: Source): boolean {
  const WINDOW = 1024 * 1024;
  for (let at = 0; at < source.size; at += WINDOW)
    if (source.read(at, Math.min(WINDOW, source.size - at)).includes(0)) return true;
  return false;
}
