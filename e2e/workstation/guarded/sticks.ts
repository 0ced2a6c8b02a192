/** Sticks as files, what a scanner knows, and how a stick is put in slowly enough to be pulled out in the middle. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Workstation } from "../workstation.ts";

const MIB = 1024 * 1024;
export const VIRUS = "sallyport-virus-of-the-tests";

export const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/** A FAT file system with these files, as a stick comes from a shop. */
export function makeStick(image: string, files: Record<string, Uint8Array | string>, sizeMiB = 8): string {
  const aside = mkdtempSync(path.join(tmpdir(), "stick-"));
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  try {
    writeFileSync(image, "");
    truncateSync(image, sizeMiB * MIB);
    execFileSync("mkfs.vfat", ["-n", "STICK", image], { env, stdio: "pipe" });
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(aside, name), content);
      execFileSync("mcopy", ["-i", image, path.join(aside, name), "::/"], { env, stdio: "pipe" });
    }
  } finally {
    rmSync(aside, { recursive: true });
  }
  return image;
}

/** Several such, each in a partition of its own behind an MBR. */
export function makePartitions(
  image: string,
  parts: readonly Record<string, Uint8Array | string>[],
  sizeMiB = 2,
): string {
  const table = Buffer.alloc(MIB);
  const partitions = parts.map((files, at) => {
    const entry = 446 + at * 16;
    const blocks = (sizeMiB * MIB) / 512;
    table[entry + 4] = 0x0c; // FAT by block numbers
    table.writeUInt32LE((MIB + at * sizeMiB * MIB) / 512, entry + 8);
    table.writeUInt32LE(blocks, entry + 12);
    return readFileSync(makeStick(`${image}.${at}`, files, sizeMiB));
  });
  table.writeUInt16LE(0xaa55, 510);
  writeFileSync(image, Buffer.concat([table, ...partitions]));
  return image;
}

/** Nothing in it compresses, and no two are the same. */
export const noise = (bytes: number): Buffer => randomBytes(bytes);

/** How many bytes of a plugged stick's image were read so far, by whomever. */
export async function bytesRead({ vm }: Workstation, id = "stick"): Promise<number> {
  const found = (await vm.qmp.run("query-blockstats")) as { qdev?: string; stats: { rd_bytes: number } }[];
  const own = found.find(({ qdev }) => qdev?.includes(`/${id}/`) || qdev === id);
  if (!own) throw new Error(`no stick ${id} among ${found.map(({ qdev }) => qdev).join(", ")}`);
  return own.stats.rd_bytes;
}
