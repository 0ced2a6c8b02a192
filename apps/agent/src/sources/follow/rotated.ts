/** The older lives of a rotated file, by their names: `eve.json.1`, `eve.json-20261124`, `eve.json.2026-11-24-09:00`. */
import type { Dom0, FileFacts } from "../../dom0/dom0.ts";

export type Sibling = { path: string; facts: FileFacts };

const SUFFIX = /^[.-]\d[\dT:_.-]{0,31}$/;
/** More than any rotation keeps. Each costs one look at its inode and time; without that none of them is left out. */
const NAMES_MAX = 4096;

export const isRotatedName = (name: string, base: string): boolean =>
  name.startsWith(base) && SUFFIX.test(name.slice(base.length));

/** Behind the name of a file that we moved aside; `.20261128T231500-123`. */
export const asideSuffix = (now: number): string =>
  `.${new Date(now).toISOString().replaceAll(/[-:Z]/g, "").replace(".", "-")}`;
/** What it was called before. */
export const currentName = (name: string): string => name.replace(/\.\d{8}T\d{6}-\d{3}$/, "");

/** Uncompressed ones, the oldest first. A folder lists its names in no order: all are looked at before any is judged. */
export async function rotatedSiblings(dom0: Pick<Dom0, "list" | "facts">, path: string): Promise<Sibling[]> {
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash) || "/";
  const base = path.slice(slash + 1);
  const names = ((await dom0.list(folder)) ?? []).filter((name) => isRotatedName(name, base));
  const siblings: Sibling[] = [];
  for (const name of names.sort(byName).slice(-NAMES_MAX)) {
    const facts = await dom0.facts(`${folder === "/" ? "" : folder}/${name}`);
    if (facts) siblings.push({ path: `${folder === "/" ? "" : folder}/${name}`, facts });
  }
  return siblings.sort((a, b) => a.facts.modifiedMs - b.facts.modifiedMs || byName(a.path, b.path));
}

/** For files of one tick of the kernel's clock: `.2` is older than `.1`, `-20261123` older than `-20261124`. */
function byName(a: string, b: string): number {
  const [first, second] = [a, b].map((path) => /\.(\d{1,4})$/.exec(path)?.[1]);
  if (first !== undefined && second !== undefined) return Number(second) - Number(first);
  return a < b ? -1 : 1;
}

/** The oldest sibling that is younger than the file that was read to its end. */
export function youngerThan(over: FileFacts, siblings: readonly Sibling[]): Sibling | undefined {
  const at = siblings.findIndex(({ facts }) => facts.inode === over.inode && facts.device === over.device);
  return at >= 0 ? siblings[at + 1] : siblings.find(({ facts }) => facts.modifiedMs > over.modifiedMs);
}
