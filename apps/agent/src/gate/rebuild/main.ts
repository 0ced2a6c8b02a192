/** The confined rebuilder: a sealed image and the list of what passed → a fresh file system with those files alone. Like
 *  the reader it meets the stick's bytes, so it has no network, no privileges and no file but the two images. Each file
 *  is hashed again on its way; one that is not what was scanned ends the whole. Asked to `check`, it writes nothing. */
import { createHash } from "node:crypto";
import { ftruncateSync, readFileSync, writeSync } from "node:fs";
import type { Examiner } from "../reader/examine.ts";
import { readMedium } from "../reader/medium.ts";
import { fileSource, type Source } from "../reader/source.ts";
import { countdown } from "../reader/volume.ts";
import { checkCopy } from "./check.ts";
import { exfatLayout } from "./exfat.ts";
import { arrange, nameOf, type Passing, wantedKey, wantedOf } from "./plan.ts";

export type RebuildOrder = {
  size: number;
  filesMax: number;
  bytesMax: number;
  label: string;
  serial: number;
  timeMs: number;
  /** Write nothing: the one image is a copy of what passed. */
  check?: true;
};
export type RebuildEvent =
  | { event: "renamed"; path: string; as: string }
  | { event: "end"; files: number; bytes: number; missing: number }
  | { event: "checked"; files: number };

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const IMAGE = 3;
const OUT = 4;
const CHUNK_BYTES = 4 * 1024 * 1024;
const RENAMED_MAX = 64;

type Found = {
  path: Buffer;
  partition: number;
  size: number;
  order: number;
  content: Source;
  sha256: ReadonlySet<string>;
};

async function rebuild(order: RebuildOrder, passing: readonly Passing[]): Promise<void> {
  const wanted = wantedOf(passing);
  const found: Found[] = [];
  const met = new Set<string>();
  const collect: Examiner = {
    files: () => found.length,
    bytes: () => 0,
    async entry({ path, content, kind }, partition = 0) {
      if (content === null || kind !== "file") return;
      const name = wantedKey(partition, nameOf(path), content.size);
      const asked = wanted.get(name);
      if (!asked) return;
      met.add(name);
      found.push({ path, partition, size: content.size, content, ...asked });
    },
  };
  await readMedium(fileSource(IMAGE, order.size), collect, countdown(order.filesMax), 1, () => {});

  const { root, bytes, files } = arrange(found);
  const several = new Set(found.map(({ partition }) => partition)).size > 1;
  const events: RebuildEvent[] = [];
  for (const { file, as } of files) {
    const was = (several ? `Partition ${file.partition}/` : "") + file.path.toString("latin1");
    if (Buffer.from(as).toString("latin1") !== was)
      events.push({ event: "renamed", path: nameOf(file.path).replace("\0", ""), as });
  }
  const layout = exfatLayout(root, bytes, order);
  if (layout.bytes > order.bytesMax)
    throw new RangeError(`the copy needs ${layout.bytes} bytes, ${order.bytesMax} were set aside`);
  ftruncateSync(OUT, layout.bytes);
  layout.write(writeAll);
  for (const { file, size, at } of layout.files) {
    const hash = createHash("sha256");
    for (let from = 0; from < size; from += CHUNK_BYTES) {
      const chunk = file.content.read(from, Math.min(CHUNK_BYTES, size - from));
      hash.update(chunk);
      writeAll(at + from, chunk);
    }
    if (!file.sha256.has(hash.digest("hex")))
      throw new Error(`${JSON.stringify(nameOf(file.path).slice(0, 200))} is not what was scanned`);
  }
  tell(...events.slice(0, RENAMED_MAX), {
    event: "end",
    files: found.length,
    bytes: layout.bytes,
    missing: [...wanted.keys()].filter((name) => !met.has(name)).length,
  });
}

function writeAll(at: number, bytes: Uint8Array): void {
  for (let have = 0; have < bytes.length; ) have += writeSync(OUT, bytes, have, bytes.length - have, at + have);
}

function tell(...events: RebuildEvent[]): void {
  const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

async function run(order: RebuildOrder): Promise<void> {
  const lines = readFileSync(STDIN, "utf8").split("\n").filter(Boolean);
  const passing = lines.map((line) => JSON.parse(line) as Passing);
  if (!order.check) return rebuild(order, passing);
  await checkCopy(fileSource(IMAGE, order.size), passing, order);
  tell({ event: "checked", files: passing.length });
}

try {
  await run(JSON.parse(process.argv[2]!) as RebuildOrder);
} catch (error) {
  // its words alone: whoever started us takes the first line
  writeSync(STDERR, `Error: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
