/** What passed → where each of it goes in the copy. The rebuilder and whoever looks after it both ask here, so that each
 *  knows by itself what the copy must be. Pure. */
import { isUtf8 } from "node:buffer";
import { safeParts } from "./names.ts";
import { emptyFolder, place, type TreeFolder } from "./tree.ts";

/** A file that passed, as the manifest names it. One line of the rebuilder's standard input. */
export type Passing = { partition: number; path: string; size: number; sha256: string };
/** What the copy must hold; of files that were alike in name and size any of several contents. */
export type Expected = { as: string; size: number; sha256: string[] };

const MARK = "\0base64:";
/** As the manifest names it: text, or base64 behind a mark that no path begins with. */
export const nameOf = (path: Buffer): string =>
  isUtf8(path) ? path.toString("utf8") : `${MARK}${path.toString("base64")}`;
const bytesOf = (name: string): Buffer =>
  name.startsWith(MARK) ? Buffer.from(name.slice(MARK.length), "base64") : Buffer.from(name);

export type Wanted = Map<string, { order: number; sha256: Set<string> }>;
export const wantedKey = (partition: number, name: string, size: number): string => `${partition}\n${size}\n${name}`;

/** Names and sizes need not be alone on a damaged medium; then the contents are. */
export function wantedOf(passing: readonly Passing[]): Wanted {
  const wanted: Wanted = new Map();
  for (const [order, { partition, path, size, sha256 }] of passing.entries()) {
    const key = wantedKey(partition, path, size);
    const known = wanted.get(key);
    if (known) known.sha256.add(sha256);
    else wanted.set(key, { order, sha256: new Set([sha256]) });
  }
  return wanted;
}

type Met = { path: Buffer; partition: number; size: number; order: number };
export type Arranged<T> = { root: TreeFolder<T>; bytes: number; files: { file: T; as: string }[] };

/** In the order of the list that passed, whatever order they were met in. */
export function arrange<T extends Met>(met: readonly T[]): Arranged<T> {
  const several = new Set(met.map(({ partition }) => partition)).size > 1;
  const root = emptyFolder<T>();
  const files: Arranged<T>["files"] = [];
  let bytes = 0;
  for (const file of [...met].sort((a, b) => a.order - b.order)) {
    const parts = safeParts(file.path);
    const as = place(root, several ? [`Partition ${file.partition}`, ...parts] : parts, file.size, file);
    files.push({ file, as });
    bytes += file.size;
  }
  return { root, bytes, files };
}

/** What the copy of these must hold, and the tree that it makes. */
export function expectedOf(passing: readonly Passing[]): {
  root: TreeFolder<unknown>;
  bytes: number;
  files: Expected[];
} {
  const wanted = wantedOf(passing);
  const met = passing.map(({ partition, path, size }) => {
    const { order, sha256 } = wanted.get(wantedKey(partition, path, size))!;
    return { path: bytesOf(path), partition, size, order, sha256 };
  });
  const { root, bytes, files } = arrange(met);
  return { root, bytes, files: files.map(({ file, as }) => ({ as, size: file.size, sha256: [...file.sha256] })) };
}
