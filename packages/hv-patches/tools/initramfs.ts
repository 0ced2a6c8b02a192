/** Files and kernel modules of the cached root → an initramfs (cpio, "newc"), for dom0 and for the guests. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Root } from "./debian.ts";
import { run } from "./run.ts";

export type Entry = { name: string; mode: number; bytes: Uint8Array };

const FOLDER = 0o040755;
const FILE = 0o100644;
const PROGRAM = 0o100755;

export const file = (name: string, bytes: Uint8Array | string): Entry => ({
  name,
  mode: FILE,
  bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes,
});
export const program = (name: string, bytes: Uint8Array | string): Entry => ({ ...file(name, bytes), mode: PROGRAM });
export const folder = (name: string): Entry => ({ name, mode: FOLDER, bytes: new Uint8Array() });

const padded = (length: number) => (length + 3) & ~3;

/** One header and its content, as in Linux's Documentation/driver-api/early-userspace/buffer-format.rst. */
function record({ name, mode, bytes }: Entry, inode: number): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  const start = padded(header.length + nameBytes.length);
  const out = Buffer.alloc(start + padded(bytes.length));
  header.copy(out);
  nameBytes.copy(out, header.length);
  out.set(bytes, start);
  return out;
}

export function cpio(entries: readonly Entry[]): Buffer {
  const folders = new Set<string>();
  for (const { name } of entries) for (let at = path.dirname(name); at !== "."; at = path.dirname(at)) folders.add(at);
  for (const { name, mode } of entries) if (mode === FOLDER) folders.delete(name);
  const all = [...[...folders].sort().map(folder), ...entries];
  const trailer: Entry = { name: "TRAILER!!!", mode: 0, bytes: new Uint8Array() };
  return Buffer.concat([...all, trailer].map((entry, index) => record(entry, entry === trailer ? 0 : index + 1)));
}

export type Kernel = { release: string; image: string; modules: string };

/** The one kernel of the root. */
export async function kernelOf(root: Root): Promise<Kernel> {
  const releases = await readdir(path.join(root.tree, "usr/lib/modules"));
  const release = releases.sort().at(-1);
  if (release === undefined) throw new Error(`there is no kernel in ${root.tree}`);
  return {
    release,
    image: path.join(root.tree, "boot", `vmlinuz-${release}`),
    modules: path.join(root.tree, "usr/lib/modules", release),
  };
}

/** `modules.dep`: each module's path and the paths of what it needs, nearest first. */
function dependencies(text: string): Map<string, { path: string; needs: string[] }> {
  const found = new Map<string, { path: string; needs: string[] }>();
  for (const line of text.split("\n")) {
    const [at, needs = ""] = line.split(":");
    if (!at) continue;
    const name = path
      .basename(at)
      .replace(/\.ko(\.\w+)?$/, "")
      .replaceAll("-", "_");
    found.set(name, { path: at, needs: needs.split(" ").filter((need) => need !== "") });
  }
  return found;
}

/** Modules with all they need, decompressed, as `mod/NN-name.ko` in the order in which to insert them. */
export async function moduleEntries(kernel: Kernel, names: readonly string[]): Promise<Entry[]> {
  const known = dependencies(await readFile(path.join(kernel.modules, "modules.dep"), "utf8"));
  const builtIn = await readFile(path.join(kernel.modules, "modules.builtin"), "utf8");
  const order: string[] = [];
  for (const name of names) {
    const module = known.get(name.replaceAll("-", "_"));
    if (module) for (const at of [...module.needs.toReversed(), module.path]) if (!order.includes(at)) order.push(at);
    if (!module && !new RegExp(`/${name.replaceAll(/[-_]/g, "[-_]")}\\.ko$`, "m").test(builtIn))
      throw new Error(`the kernel ${kernel.release} has no module ${name}`);
  }
  return Promise.all(
    order.map(async (at, index) => {
      const base = path.basename(at).replace(/\.ko(\.\w+)?$/, "");
      const bytes = await decompressed(path.join(kernel.modules, at));
      return file(`mod/${String(index).padStart(2, "0")}-${base}.ko`, bytes);
    }),
  );
}

async function decompressed(module: string): Promise<Uint8Array> {
  if (!module.endsWith(".xz")) return readFile(module);
  return new Promise((resolve, reject) => {
    execFile("xz", ["-dc", module], { encoding: "buffer", maxBuffer: 64 << 20 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}

/** A static busybox for either side. */
export const busybox = async (root: Root): Promise<Entry> =>
  program("bin/busybox", await readFile(path.join(root.tree, "usr/bin/busybox")));

/** Compiles one of the proofs' programs so that it runs without any library. */
export async function compiled(source: string, to: string): Promise<string> {
  if (!existsSync(to)) await run("gcc", ["-static", "-O2", "-Wall", "-Werror", "-o", to, source]);
  return to;
}
