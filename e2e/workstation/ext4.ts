/** Files into an ext4 image that nobody mounts: debugfs of the cached root writes them, so no privileges are needed. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { programOf, type Root } from "../../packages/hv-patches/tools/debian.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";

/** A file (with the bytes of `source`) or a symbolic link (to `target`) at `path`, in place of what is there. */
export type Change = { path: string; mode: number; source: string } | { path: string; target: string };

/** What debugfs answers to a folder that is there already and to removing what is not: both are as wanted. */
const EXPECTED = /^debugfs \d|Ext2 directory already exists|File not found by ext2_lookup|^\s*$/;

export async function putInto(root: Root, image: string, changes: readonly Change[]): Promise<void> {
  const lines: string[] = [];
  const folders = new Set<string>();
  const quoted = (name: string) => `"${name}"`;
  for (const change of changes) {
    const parts = path.dirname(change.path).split("/").filter(Boolean);
    for (const [at] of parts.entries()) folders.add(`/${parts.slice(0, at + 1).join("/")}`);
  }
  for (const folder of [...folders].sort()) lines.push(`mkdir ${quoted(folder)}`);
  for (const change of changes) {
    lines.push(`rm ${quoted(change.path)}`);
    if ("target" in change) lines.push(`symlink ${quoted(change.path)} ${quoted(change.target)}`);
    else {
      lines.push(`write ${quoted(change.source)} ${quoted(change.path)}`);
      lines.push(`set_inode_field ${quoted(change.path)} mode 0${(0o100000 | change.mode).toString(8)}`);
      for (const field of ["uid", "gid"]) lines.push(`set_inode_field ${quoted(change.path)} ${field} 0`);
    }
  }
  const script = `${image}.debugfs`;
  await writeFile(script, `${lines.join("\n")}\n`);
  const { program, args } = programOf(root, "usr/sbin/debugfs");
  // debugfs ends with 0 whatever its commands did; what went wrong is in its standard error.
  const said = await run("sh", ["-c", '"$@" 2>&1 >/dev/null', "sh", program, ...args, "-w", "-f", script, image]);
  const wrong = said.split("\n").filter((line) => !EXPECTED.test(line));
  if (wrong.length > 0) throw new Error(`${image} could not be changed:\n${wrong.join("\n")}`);
}
