/** Files → folders with names that are each unlike all others in them, as exFAT compares them. */
import { upper } from "./exfat.ts";
import { numbered } from "./names.ts";

export type TreeFile<T> = { name: string; size: number; file: T };
export type TreeFolder<T> = {
  name: string;
  folders: TreeFolder<T>[];
  files: TreeFile<T>[];
  taken: Map<string, TreeFolder<T> | null>;
};

export const emptyFolder = <T>(name = ""): TreeFolder<T> => ({ name, folders: [], files: [], taken: new Map() });

const NUMBERS_MAX = 100_000;

/** Puts a file at the path, renumbered where another has its name. Folders that differ in case alone are one.
 *  @returns the path it has now */
export function place<T>(root: TreeFolder<T>, parts: readonly string[], size: number, file: T): string {
  let at = root;
  const path: string[] = [];
  for (const part of parts.slice(0, -1)) {
    at = folderIn(at, part);
    path.push(at.name);
  }
  const name = free(at, parts.at(-1)!);
  at.taken.set(upper(name), null);
  at.files.push({ name, size, file });
  return [...path, name].join("/");
}

function folderIn<T>(parent: TreeFolder<T>, wanted: string): TreeFolder<T> {
  for (let number = 1; number < NUMBERS_MAX; number++) {
    const name = number === 1 ? wanted : numbered(wanted, number);
    const found = parent.taken.get(upper(name));
    if (found) return found;
    if (found === null) continue; // a file has that name
    const made = emptyFolder<T>(name);
    parent.taken.set(upper(name), made);
    parent.folders.push(made);
    return made;
  }
  throw new RangeError(`more than ${NUMBERS_MAX} names are alike`);
}

function free<T>(folder: TreeFolder<T>, wanted: string): string {
  for (let number = 1; number < NUMBERS_MAX; number++) {
    const name = number === 1 ? wanted : numbered(wanted, number);
    if (!folder.taken.has(upper(name))) return name;
  }
  throw new RangeError(`more than ${NUMBERS_MAX} names are alike`);
}
