import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pack } from "./pack.ts";

const PATH = process.env.PATH;
let work: string;
const out = () => join(work, "out");
const file = () => join(out(), "sallyport-agent_1.0.0_amd64.deb");

/** A dpkg-deb that writes its last argument as the given lines of shell do. */
function dpkgDeb(lines: string): void {
  const bin = join(work, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "dpkg-deb"), `#!/bin/sh\nfor to; do :; done\n${lines}\n`);
  chmodSync(join(bin, "dpkg-deb"), 0o755);
  process.env.PATH = `${bin}:${PATH}`;
}

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sallyport-pack-"));
  mkdirSync(out());
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(work, { recursive: true, force: true });
});

test("a package that could not be packed to its end is not there, and the one before it still is", async () => {
  dpkgDeb('printf half > "$to"; echo "no room" >&2; exit 2');
  writeFileSync(file(), "the one before");
  const packing = pack(work, file(), { epoch: 1, compression: "gzip", say: () => undefined });
  await expect(packing).rejects.toThrow("no room");
  expect(readdirSync(out())).toEqual(["sallyport-agent_1.0.0_amd64.deb"]);
  expect(readFileSync(file(), "utf8")).toBe("the one before");
});

test("while it is packed nothing lies under its name, and it is said that it goes on", async () => {
  dpkgDeb(`printf half > "$to"; until [ -e "${work}/go" ]; do sleep 0.02; done; printf whole > "$to"`);
  const said: string[] = [];
  const seen: string[][] = [];
  const say = (line: string) => {
    said.push(line);
    if (!line.includes("still packing")) return;
    seen.push(readdirSync(out()));
    writeFileSync(join(work, "go"), "");
  };
  await pack(work, file(), { epoch: 1, compression: "xz", say, beatMs: 300 });
  expect(said[0]).toBe(`Packing ${file()} …`);
  expect(said[1]).toMatch(/^ {2}… still packing \(\d+ s\)$/);
  expect(seen[0]).not.toContain("sallyport-agent_1.0.0_amd64.deb");
  expect(readFileSync(file(), "utf8")).toBe("whole");
});
