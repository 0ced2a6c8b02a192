/** ARCHITECTURE.md names each folder in one line; it and the tree must agree. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);

/** How deep a folder is still named: below that, files speak for themselves. */
const DEPTH_MAX = 4;
const UNNAMED =
  /^(?:packages\/hv-patches\/[a-z0-9]+|prisma\/migrations\/\d+_|e2e\/workstation\/dom0\/)|\/(?:bin|golden|fixtures)$|\[/;

function foldersOf(files: string[]): Set<string> {
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) {
      if (folder.split("/").length <= DEPTH_MAX && !UNNAMED.test(folder)) folders.add(folder);
    }
  }
  return folders;
}

describe("ARCHITECTURE.md", () => {
  const text = readFileSync(`${root}/ARCHITECTURE.md`, "utf8");
  const named = new Set([...text.matchAll(/^\s*- `([^`]+?)\/`/gm)].map(([, folder]) => folder!));
  const folders = foldersOf(tracked);

  it("names each folder of the tree", () => {
    expect([...folders].filter((folder) => !named.has(folder)).sort()).toEqual([]);
  });

  it("names no folder that is gone", () => {
    const all = new Set(
      tracked.flatMap((file) => {
        const parents: string[] = [];
        for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) parents.push(folder);
        return parents;
      }),
    );
    expect([...named].filter((folder) => !all.has(folder))).toEqual([]);
  });

  it("says something of each, in one line", () => {
    for (const line of text.split("\n").filter((each) => /^\s*- `[^`]+\/`/.test(each))) {
      expect(line).toMatch(/^\s*- `[^`]+\/`(?: \([^)]+\))?: \S.{8,}$/);
    }
  });
});
