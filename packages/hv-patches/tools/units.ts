/** Xen's own unit tests that need no configured tool stack: vpci and the CPU policy. They read the hypervisor's sources. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "./run.ts";
import type { Tree } from "./tree.ts";

export const UNIT_TESTS = ["vpci", "cpu-policy"] as const;

/** Builds and runs one of them in the tree as it stands; throws with its last words when it fails. */
export async function runUnitTest(tree: Tree, name: (typeof UNIT_TESTS)[number]): Promise<void> {
  // What ./configure would have found out, as far as these two need it.
  await writeFile(path.join(tree.folder, "config/Tools.mk"), "AWK := awk\nPYTHON := python3\n");
  await writeFile(path.join(tree.folder, "config/Paths.mk"), "");
  await run("make", ["-C", path.join(tree.folder, "tools/include")]);
  const test = path.join(tree.folder, "tools/tests", name);
  await run("make", ["-C", test, "clean"]);
  await run("make", ["-C", test, "run"]);
}
