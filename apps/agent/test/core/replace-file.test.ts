/** What is replaced on a disk that is nearly full: whole, or as it was. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { replaceFile } from "../../src/enrol/folder.ts";
import { mountSmall } from "./small-disk.ts";

it("a file that fits only in part is not replaced, and it is said", ({ skip }) => {
  const volume = mountSmall(1);
  if (!volume) return skip("no volume may be mounted here");
  onTestFinished(() => {
    execFileSync("umount", ["-l", volume]);
    rmSync(volume, { recursive: true });
  });
  const path = join(volume, "journal");
  replaceFile(path, "as it was");
  const { bsize, bfree } = statfsSync(volume);
  const page = 4_096;
  writeFileSync(join(volume, "filler"), Buffer.alloc(Number(bsize) * Number(bfree) - page));
  expect(statfsSync(volume).bfree * bsize).toBe(page);
  expect(() => replaceFile(path, "x".repeat(9_500))).toThrow("ENOSPC");
  expect(readFileSync(path, "utf8")).toBe("as it was");
});
