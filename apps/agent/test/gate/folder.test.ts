/** A folder as it is read: what of it cannot be read is named, and the rest is read. */
import { mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { folderVolume } from "../../src/gate/reader/folder.ts";
import { countdown } from "../../src/gate/reader/volume.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("a link that cannot be read is named, and the reading goes on", () => {
  for (const name of ["a.txt", "z.txt"]) writeFileSync(join(folder, name), name);
  for (const name of ["broken", "whole"]) symlinkSync("a.txt", join(folder, name));
  // as a file system answers that is damaged, or that is changed while it is read
  const volume = folderVolume(folder, (path) => {
    if (path.toString().endsWith("/broken")) throw new Error("EIO: i/o error, readlink");
    return readlinkSync(path, { encoding: "buffer" });
  });
  const found = [...volume.entries(countdown(100))].map(({ path, kind, problem, detail }) => [
    path.toString(),
    kind,
    problem ?? detail,
  ]);
  expect(found.sort()).toEqual([
    ["a.txt", "file", undefined],
    ["broken", "link", "cannot be read: EIO: i/o error, readlink"],
    ["whole", "link", "to a.txt"],
    ["z.txt", "file", undefined],
  ]);
});
