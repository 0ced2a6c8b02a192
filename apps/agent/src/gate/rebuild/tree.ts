/** Files → folders with names that are each unlike all others in them, as exFAT compares them. */
import { upper } from "./exfat.ts";
import { aroundNumber } from "./names.ts";

export type TreeFile<T> = { name: string; size: number; file: T };
export type TreeFolder<T> = {
  name: string;
  folders: TreeFolder<T>[];
  files: TreeFile<T>[];
  /** Upper-cased; a file is null. */
  taken: Map<string, TreeFolder<T> | null>;
  /** By what stands around a number: where counting goes on. */
  counted: Map<string, number>;
};

export const emptyFolder = <T>(name = ""): TreeFolder<T> => ({
  name,
  folders: [],
  files: [],
  taken: new Map(),
  counted: new Map(),
});

/** Puts a file at the path, renumbered where another has its name. Folders that differ in case alone are one.
 *  @returns the path it has now */
export function place<T>(root: TreeFolder<T>, parts: readonly string[], size: number, file: T): string {
  let at = root;
  const path: string[] = [];
  for (const part of parts.slice(0, -1)) {
    at = folderIn(at, part);
    path.push(at.name);
  }
  const { name, key } = unlike(at, parts.at(-1)!, "file");
  at.taken.set(key, null);
  at.files.push({ name, size, file });
  return [...path, name].join("/");
}

function folderIn<T>(parent: TreeFolder<T>, wanted: string): TreeFolder<T> {
  const { name, key } = unlike(parent, wanted, "folder");
  const found = parent.taken.get(key);
  if (found) return found;
  const made = emptyFolder<T>(name);
  parent.taken.set(key, made);
  parent.folders.push(made);
  return made;
}

/** The name or the first with a number that nothing has, or, for a folder, no file; `key` is it upper-cased. Nothing in a
 *  folder ever goes, so what was counted past is not looked at again, whoever else wants the same numbers: there are never
 *  many more looks than names. */
function unlike<T>(folder: TreeFolder<T>, wanted: string, kind: "file" | "folder"): { name: string; key: string } {
  const isFit = (key: string) => {
    const found = folder.taken.get(key);
    return found === undefined || (kind === "folder" && found !== null);
  };
  const wantedKey = upper(wanted);
  if (isFit(wantedKey)) return { name: wanted, key: wantedKey };
  for (let digits = 1; ; digits++) {
    // upper-casing keeps lengths and whatever else a name is cut by
    const { before, after } = aroundNumber(wantedKey, digits);
    const around = `${kind}/${digits}/${before}/${after}`;
    const end = 10 ** digits;
    let number = folder.counted.get(around) ?? Math.max(2, end / 10);
    while (number < end && !isFit(`${before}${number}${after}`)) number += 1;
    folder.counted.set(around, number);
    if (number === end) continue;
    const own = aroundNumber(wanted, digits);
    return { name: `${own.before}${number}${own.after}`, key: `${before}${number}${after}` };
  }
}
