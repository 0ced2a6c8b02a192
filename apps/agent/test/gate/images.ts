/** Real images by the real tools on plain files; nothing is mounted. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

export type Files = Record<string, string | Buffer>;

const MIB = 1024 * 1024;
const PATH = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, MTOOLS_SKIP_CHECK: "1" };

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
