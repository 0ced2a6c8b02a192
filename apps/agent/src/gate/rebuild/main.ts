/** The confined rebuilder: a sealed image and the list of what passed → a fresh file system with those files alone. Like
 *  the reader it meets the stick's bytes, so it has no network, no privileges and no file but the two images. Each file
 *  is hashed again on its way; one that is not what was scanned ends the whole. */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { ftruncateSync, readFileSync, writeSync } from "node:fs";
import type { Examiner } from "../reader/examine.ts";
import { readMedium } from "../reader/medium.ts";
import { fileSource, type Source } from "../reader/source.ts";
import { countdown } from "../reader/volume.ts";
import { exfatLayout } from "./exfat.ts";
import { safeParts } from "./names.ts";
import { emptyFolder, place } from "./tree.ts";

export type RebuildOrder = {
  size: number;
  filesMax: number;
  bytesMax: number;
  label: string;
  serial: number;
  timeMs: number;
};
/** One line of standard input: a file that passed. */
export type Passing = { partition: number; path: string; size: number; sha256: string };
export type RebuildEvent =
  | { event: "renamed"; path: string; as: string }
  | { event: "end"; files: number; bytes: number; missing: number };

const STDIN = 0;
const STDOUT = 1;
const IMAGE = 3;
const OUT = 4;
const CHUNK_BYTES = 4 * 1024 * 1024;
const RENAMED_MAX = 64;

/** As the manifest names it: text, or base64 behind a mark that no path begins with. */
export const keyOf = (path: Buffer): string =>
  isUtf8(path) ? path.toString("utf8") : `\0base64:${path.toString("base64")}`;

type Found = { path: Buffer; partition: number; content: Source; sha256: ReadonlySet<string> };

async function rebuild(order: RebuildOrder, passing: readonly Passing[]): Promise<void> {
  const wanted = new Map<string, Set<string>>();
  const key = (partition: number, path: string, size: number) => `${partition}\n${size}\n${path}`;
  for (const { partition, path, size, sha256 } of passing) {
    const known = wanted.get(key(partition, path, size));
    if (known) known.add(sha256);
    else wanted.set(key(partition, path, size), new Set([sha256]));
  }
  const found: Found[] = [];
  const met = new Set<string>();
  const collect: Examiner = {
    files: () => found.length,
    bytes: () => 0,
    async entry({ path, content, kind }, partition = 0) {
      if (content === null || kind !== "file") return;
      const name = key(partition, keyOf(path), content.size);
      const sha256 = wanted.get(name);
      if (!sha256) return;
      met.add(name);
      found.push({ path, partition, content, sha256 });
    },
  };
  await readMedium(fileSource(IMAGE, order.size), collect, countdown(order.filesMax), 1, () => {});

  const severalParts = new Set(found.map(({ partition }) => partition)).size > 1;
  const root = emptyFolder<Found>();
  const events: RebuildEvent[] = [];
  let bytes = 0;
  for (const each of found) {
    const parts = safeParts(each.path);
    const under = severalParts ? [`Partition ${each.partition}`, ...parts] : parts;
    const as = place(root, under, each.content.size, each);
    bytes += each.content.size;
    const was = (severalParts ? `Partition ${each.partition}/` : "") + each.path.toString("latin1");
    if (Buffer.from(as).toString("latin1") !== was)
      events.push({ event: "renamed", path: keyOf(each.path).replace("\0", ""), as });
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
      throw new Error(`${JSON.stringify(keyOf(file.path).slice(0, 200))} is not what was scanned`);
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

const lines = readFileSync(STDIN, "utf8").split("\n").filter(Boolean);
await rebuild(
  JSON.parse(process.argv[2]!) as RebuildOrder,
  lines.map((line) => JSON.parse(line) as Passing),
);
