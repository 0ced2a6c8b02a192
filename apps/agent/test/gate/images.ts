/** Real images by the real tools on plain files; nothing is mounted. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

export type Files = Record<string, string | Buffer>;

const MIB = 1024 * 1024;
/** The locale is said: mtools writes names of another one as underscores. */
const PATH = {
  ...process.env,
  ...{ PATH: `${process.env.PATH}:/usr/sbin:/sbin`, MTOOLS_SKIP_CHECK: "1", LC_ALL: "C.UTF-8" },
};

export function run(program: string, args: string[], input?: string | Buffer): string {
  return execFileSync(program, args, {
    env: PATH,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
    ...(input === undefined ? {} : { input }),
  });
}

export function layOut(folder: string, files: Files): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

function blank(image: string, mib: number): string {
  closeSync(openSync(image, "w"));
  truncateSync(image, mib * MIB);
  return image;
}

export function fatImage(image: string, tree: string, bits: 12 | 16 | 32): string {
  blank(image, { 12: 2, 16: 20, 32: 40 }[bits]);
  run("mkfs.vfat", ["-F", String(bits), "-n", "STICK", image]);
  const names = run("ls", ["-A", tree]).split("\n").filter(Boolean);
  if (names.length > 0) run("mcopy", ["-s", "-Q", "-i", image, ...names.map((name) => join(tree, name)), "::/"]);
  return image;
}

export function extImage(image: string, tree: string, version: "ext2" | "ext3" | "ext4", features?: string): string {
  blank(image, 16);
  run(`mkfs.${version}`, ["-q", "-F", ...(features ? ["-O", features] : []), "-d", tree, "-L", "stick", image]);
  return image;
}

export function ntfsImage(image: string, files: Files): string {
  blank(image, 16);
  run("mkfs.ntfs", ["-q", "-F", "-f", "-L", "stick", image]);
  const aside = `${image}.part`;
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(aside, content);
    run("ntfscp", ["-f", image, aside, name]);
  }
  return image;
}

export function isoImage(image: string, tree: string, ...flags: string[]): string {
  run("genisoimage", ["-quiet", "-V", "DISC", "-o", image, ...flags, tree]);
  return image;
}

/** Puts file systems side by side under a table made by sfdisk; each starts on a mebibyte. */
export function partitioned(
  image: string,
  table: "dos" | "gpt",
  parts: { image: string; type: string; logical?: boolean }[],
): string {
  const sizes = parts.map((part) => Math.ceil(readFileSync(part.image).length / MIB));
  let at = 1;
  const starts: number[] = [];
  const lines = [`label: ${table}`];
  const logicalFrom = parts.findIndex((part) => part.logical);
  const total = sizes.reduce((sum, size) => sum + size + 1, 4);
  parts.forEach((part, index) => {
    if (index === logicalFrom) {
      lines.push(`start=${at * 2048}, size=${(total - 1 - at) * 2048}, type=5`);
      at += 1;
    }
    if (part.logical) at += index === logicalFrom ? 0 : 1;
    starts.push(at);
    lines.push(`start=${at * 2048}, size=${sizes[index]! * 2048}, type=${part.type}`);
    at += sizes[index]!;
  });
  blank(image, total);
  run("sfdisk", ["-q", "--no-reread", image], `${lines.join("\n")}\n`);
  const fd = openSync(image, "r+");
  parts.forEach((part, index) => {
    writeSync(fd, readFileSync(part.image), 0, undefined, starts[index]! * MIB);
  });
  closeSync(fd);
  return image;
}

/** Writes files into an image by mkfs.exfat, as no tool of Debian's does without mounting: one in a row, one in pieces
 *  through the allocation table, one whose last bytes were never written, one in a folder. */
export function exfatImage(
  image: string,
  files: { row: Files; pieces: Files; short: Record<string, { valid: Buffer; size: number }>; folder: Files },
): string {
  blank(image, 16);
  run("mkfs.exfat", [image]);
  const bytes = readFileSync(image);
  const sector = 2 ** bytes[108]!;
  const cluster = sector * 2 ** bytes[109]!;
  const fat = bytes.readUInt32LE(80) * sector;
  const heap = bytes.readUInt32LE(88) * sector;
  const place = (number: number) => heap + (number - 2) * cluster;
  let free = 64;

  const record = (
    name: string,
    first: number,
    size: number,
    valid: number,
    flags: number,
    attributes: number,
  ): Buffer => {
    const letters = Buffer.from(name, "utf16le");
    const names = Math.ceil(name.length / 15);
    const set = Buffer.alloc(32 * (2 + names));
    set.writeUInt8(0x85, 0);
    set.writeUInt8(1 + names, 1);
    set.writeUInt16LE(attributes, 4);
    set.writeUInt8(0xc0, 32);
    set.writeUInt8(flags, 33);
    set.writeUInt8(name.length, 35);
    set.writeBigUInt64LE(BigInt(valid), 40);
    set.writeUInt32LE(first, 52);
    set.writeBigUInt64LE(BigInt(size), 56);
    for (let at = 0; at < names; at++) {
      set.writeUInt8(0xc1, 64 + at * 32);
      letters.copy(set, 66 + at * 32, at * 30, at * 30 + 30);
    }
    let sum = 0;
    for (const [at, byte] of set.entries())
      if (at !== 2 && at !== 3) sum = ((((sum & 1) << 15) | (sum >> 1)) + byte) & 0xffff;
    set.writeUInt16LE(sum, 2);
    return set;
  };
  const inRow = (content: Buffer): number => {
    const first = free;
    content.copy(bytes, place(first));
    free += Math.max(1, Math.ceil(content.length / cluster));
    return first;
  };
  const inPieces = (content: Buffer): number => {
    const first = free;
    const count = Math.ceil(content.length / cluster);
    for (let at = 0; at < count; at++, free += 2) {
      content.copy(bytes, place(free), at * cluster, (at + 1) * cluster);
      bytes.writeUInt32LE(at + 1 < count ? free + 2 : 0xffff_ffff, fat + free * 4);
    }
    return first;
  };
  const row = (name: string, content: string | Buffer): Buffer => {
    const data = Buffer.from(content);
    return record(name, data.length === 0 ? 0 : inRow(data), data.length, data.length, 3, 0);
  };
  const sets: Buffer[] = [];
  for (const [name, content] of Object.entries(files.row)) sets.push(row(name, content));
  for (const [name, content] of Object.entries(files.pieces)) {
    const data = Buffer.from(content);
    sets.push(record(name, inPieces(data), data.length, data.length, 1, 0));
  }
  for (const [name, { valid, size }] of Object.entries(files.short)) {
    const first = inRow(Buffer.concat([valid, Buffer.alloc(size - valid.length, "junk")]));
    sets.push(record(name, first, size, valid.length, 3, 0));
  }
  const inside = Buffer.concat(Object.entries(files.folder).map(([name, content]) => row(name, content)));
  sets.push(
    record("folder", inRow(Buffer.concat([inside, Buffer.alloc(cluster - inside.length)])), cluster, cluster, 3, 0x10),
  );
  let root = place(bytes.readUInt32LE(96));
  while (bytes[root] !== 0) root += 32;
  Buffer.concat(sets).copy(bytes, root);
  writeFileSync(image, bytes);
  return image;
}
