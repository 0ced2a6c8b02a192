/** The copy, sealed, against what it must be. First every byte that is no file's: tables, folders and free space are as
 *  they would be made again, so nothing that a stick could have put there is left for a file system to read. Then the gate's
 *  own reader reads it as the guest will, and each file's content is hashed. Any difference ends it. */
import { createHash } from "node:crypto";
import type { Examiner } from "../reader/examine.ts";
import { readMedium } from "../reader/medium.ts";
import type { Source } from "../reader/source.ts";
import { countdown } from "../reader/volume.ts";
import { exfatLayout, type Stamp } from "./exfat.ts";
import { type Expected, expectedOf, type Passing } from "./plan.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;

/** What it must be is worked out from what passed, before a byte of it is read. @throws Error that says what differs */
export async function checkCopy(copy: Source, passing: readonly Passing[], stamp: Stamp): Promise<void> {
  const expected = expectedOf(passing);
  checkFrame(copy, expected, stamp);
  await checkFiles(copy, expected.files);
}

const differs = (what: string): Error => new Error(`the copy is not what was to be made: ${what}`);

function checkFrame(copy: Source, { root, bytes }: ReturnType<typeof expectedOf>, stamp: Stamp): void {
  const layout = exfatLayout(root, bytes, stamp);
  if (layout.bytes !== copy.size) throw differs(`it has ${copy.size} bytes, not ${layout.bytes}`);
  const taken = layout.files.map(({ size, at }) => ({ from: at, to: at + size }));
  layout.write((at, wanted) => {
    if (wanted.length === 0) return;
    const has = read(copy, at, wanted.length);
    const first = has.findIndex((byte, index) => byte !== wanted[index]);
    if (first >= 0) throw differs(`its tables differ at byte ${at + first}`);
    taken.push({ from: at, to: at + wanted.length });
  });
  taken.sort((a, b) => a.from - b.from);
  let from = 0;
  for (const range of [...taken, { from: copy.size, to: copy.size }]) {
    for (; from < range.from; from += CHUNK_BYTES) {
      const part = copy.read(from, Math.min(CHUNK_BYTES, range.from - from));
      const first = part.findIndex((byte) => byte !== 0);
      if (first >= 0) throw differs(`byte ${from + first} belongs to no file and is not zero`);
    }
    from = Math.max(range.to, range.from);
  }
}

function read(copy: Source, at: number, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let done = 0; done < length; done += CHUNK_BYTES)
    parts.push(copy.read(at + done, Math.min(CHUNK_BYTES, length - done)));
  return Buffer.concat(parts);
}

async function checkFiles(copy: Source, expected: readonly Expected[]): Promise<void> {
  const left = new Map(expected.map((file) => [file.as, file]));
  const folders = new Set(
    expected.flatMap(({ as }) => {
      const parts = as.split("/").slice(0, -1);
      return parts.map((_, depth) => parts.slice(0, depth + 1).join("/"));
    }),
  );
  // of files that are alike in name and size each content must be there as well
  const alike = new Map<string, Set<string>>();
  const faults: string[] = [];
  const seen: Examiner = {
    files: () => expected.length - left.size,
    bytes: () => 0,
    async entry({ path, kind, content, problem }) {
      const name = path.toString("utf8");
      if (kind === "folder" && folders.delete(name)) return;
      const wanted = kind === "file" ? left.get(name) : undefined;
      left.delete(name);
      const shown = JSON.stringify(name.slice(0, 200));
      if (!wanted || content === null) throw differs(`${shown} in it ${problem ?? "was not to be there"}`);
      const found = content.size === wanted.size ? hashOf(content) : "";
      if (!wanted.sha256.includes(found)) throw differs(`${shown} in it is not what was scanned`);
      if (wanted.sha256.length < 2) return;
      const key = wanted.sha256.join();
      const open = alike.get(key) ?? new Set(wanted.sha256);
      open.delete(found);
      alike.set(key, open);
    },
  };
  const bounds = countdown(2 * (expected.length + folders.size) + 16);
  await readMedium(copy, seen, bounds, 1, (event) => {
    if (event.event === "problem") faults.push(event.problem);
    if (event.event === "outside" && !event.outside.zeros) faults.push("it has bytes outside of its partition");
    if (event.event !== "partition") return;
    const { number, fileSystem, problem } = event.partition;
    if (number !== 1 || fileSystem !== "exfat" || problem !== undefined)
      faults.push(problem ?? `partition ${number} in it is ${fileSystem ?? "no file system"}`);
  });
  if (faults[0] !== undefined) throw differs(faults[0]);
  const [missing] = [...left.keys(), ...folders];
  if (missing !== undefined) throw differs(`${JSON.stringify(missing.slice(0, 200))} is not in it`);
  if ([...alike.values()].some(({ size }) => size > 0)) throw differs("files that are alike in name are not all in it");
}

function hashOf(content: Source): string {
  const hash = createHash("sha256");
  for (let from = 0; from < content.size; from += CHUNK_BYTES)
    hash.update(content.read(from, Math.min(CHUNK_BYTES, content.size - from)));
  return hash.digest("hex");
}
