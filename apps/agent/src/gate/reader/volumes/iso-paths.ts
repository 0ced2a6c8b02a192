/** A disc's path tables (ECMA-119, 6.9) against its folders: Windows finds a folder by the table alone, others by walking. */
import { Damaged, READ_BYTES_MAX, type Source } from "../source.ts";
import { reason } from "../volume.ts";
import type { Tree } from "./iso-descriptors.ts";

/** One folder as its parent names it: where the parent begins, where it begins, in bytes, and its name as it is written. */
export const pathKey = (parent: number, at: number, name: Buffer): string =>
  `${parent}:${at}:${name.toString("latin1")}`;

/** What is wrong, in words that follow "its iso9660", or null. A folder that a table leaves out is found by nobody who goes
 *  by the table: that is no harm.
 *  @param walked every folder that the tree's records name, as `pathKey` says it */
export function pathProblem(source: Source, tree: Tree, root: number, walked: ReadonlySet<string>): string | null {
  for (const table of tree.paths) {
    if (table.first === 0 || table.bytes === 0) continue;
    try {
      for (const key of pathsIn(source, tree.block, table, root))
        if (!walked.has(key)) return "has a path table that leads to another folder than its folders do";
    } catch (error) {
      return `has a path table that cannot be read: it ${reason(error)}`;
    }
  }
  return null;
}

function* pathsIn(source: Source, block: number, table: Tree["paths"][number], root: number): Generator<string> {
  if (table.bytes > READ_BYTES_MAX) throw new Damaged("is larger than any can be");
  const bytes = source.read(table.first * block, table.bytes);
  const little = table.order === "little";
  const starts: number[] = [];
  for (let from = 0; from < bytes.length; ) {
    const letters = bytes[from]!;
    if (letters === 0 && bytes.subarray(from).every((byte) => byte === 0)) return;
    if (letters === 0 || from + 8 + letters > bytes.length) throw new Damaged("has a record that ends outside it");
    const extent = little ? bytes.readUInt32LE(from + 2) : bytes.readUInt32BE(from + 2);
    const number = little ? bytes.readUInt16LE(from + 6) : bytes.readUInt16BE(from + 6);
    const at = (extent + bytes[from + 1]!) * block;
    const name = bytes.subarray(from + 8, from + 8 + letters);
    const parent = starts.length === 0 ? root : starts[number - 1];
    if (parent === undefined) throw new Damaged("names a folder before the one that holds it");
    yield pathKey(parent, at, name);
    starts.push(at);
    from += 8 + letters + (letters % 2);
  }
}
