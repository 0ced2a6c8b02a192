import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../tools/run.ts";
import { type Patch, parsePatch } from "../tools/series.ts";
import { patchTree, type Tree } from "../tools/tree.ts";

const patch = (name: string, from: string, to: string, file = "xen/a.c"): Patch =>
  parsePatch(name, name, `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-${from}\n+${to}\n`);
const one = patch("0101-one.patch", "zero", "one");
const two = patch("0102-two.patch", "one", "two");
/** Its first file takes the change, its second does not. */
const half = {
  ...two,
  name: "0102-half.patch",
  text: two.text + patch("", "nothing like it", "x", "xen/b.c").text,
};

let folder: string;
let tree: Tree;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "tree-"));
  await mkdir(path.join(folder, "made/xen-1/xen"), { recursive: true });
  await mkdir(path.join(folder, "made/debian/patches"), { recursive: true });
  await writeFile(path.join(folder, "made/xen-1/xen/a.c"), "zero\n");
  await writeFile(path.join(folder, "made/xen-1/xen/b.c"), "other\n");
  await writeFile(path.join(folder, "made/debian/patches/series"), "# none\n");
  const orig = path.join(folder, "orig.tar.xz");
  const debian = path.join(folder, "debian.tar.xz");
  await run("tar", ["-C", path.join(folder, "made"), "-cJf", orig, "xen-1"]);
  await run("tar", ["-C", path.join(folder, "made"), "-cJf", debian, "debian"]);
  const sum = { file: "x", sha256: "0".repeat(64) };
  const upstream = {
    version: "1",
    suite: "x",
    licence: "GPL-2.0-only",
    source: "xen",
    orig: sum,
    debian: sum,
  } as const;
  tree = { folder: path.join(folder, "tree"), fetched: { upstream, orig, debian } };
  await mkdir(tree.folder);
  await run("tar", ["-xJf", orig, "--strip-components=1"], { cwd: tree.folder });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const text = (name = "xen/a.c") => readFile(path.join(tree.folder, name), "utf8");

describe("the tree", () => {
  it("is brought to exactly the patches that are asked for, forward and back", async () => {
    await patchTree(tree, [one, two]);
    expect(await text()).toBe("two\n");
    await patchTree(tree, [one]);
    expect(await text()).toBe("one\n");
    await patchTree(tree, []);
    expect(await text()).toBe("zero\n");
  });

  it("is whole again after a patch that applied in part only", async () => {
    await expect(patchTree(tree, [one, half])).rejects.toThrow("0102-half.patch does not apply to Xen 1");
    await patchTree(tree, [one, two]);
    expect(await text()).toBe("two\n");
    expect(await text("xen/b.c")).toBe("other\n");
  });

  it.each([
    ["was being changed", ".torn", ""],
    ["had its state torn", ".applied.json", '["--- a/xe'],
  ])("is unpacked anew when a run ended while it %s, and what was built from it goes", async (_, name, content) => {
    await patchTree(tree, [one]);
    const objects = `${tree.folder}-release`;
    await mkdir(objects);
    await writeFile(path.join(tree.folder, "xen/a.c"), "neither this nor that\n");
    await writeFile(path.join(tree.folder, name), content);
    await patchTree(tree, [one, two]);
    expect(await text()).toBe("two\n");
    expect(existsSync(objects)).toBe(false);
  });
});
