/** The tree's imports as a graph. An import of types alone is erased before anything runs: it is told apart. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** `to` is a file of the tree, or a package by its name (`pg`, `node:fs`). */
export type Arrow = { from: string; to: string; typesOnly: boolean };

const ROOT = new URL("..", import.meta.url).pathname;
const IMPORT = /^(?:import|export)\s+(?:(type)\s+)?(?:([^;"']*?)\s+from\s+)?["']([^"']+)["']/gm;
const LATER = /\bimport\(\s*["']([^"']+)["']\s*\)/g;
const SHARED = "@sallyport/shared/";

/** Sources below `folders`, tests left out. */
export function sourcesOf(folders: readonly string[]): string[] {
  const listed = execFileSync("git", ["ls-files", "--", ...folders], { cwd: ROOT, encoding: "utf8" }).split("\n");
  return listed.filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file) && existsSync(join(ROOT, file)));
}

export function arrowsOf(files: readonly string[], read = (file: string) => readFileSync(join(ROOT, file), "utf8")) {
  return files.flatMap((from) => {
    const text = read(from);
    const target = (name: string) => {
      if (name.startsWith(SHARED)) return `packages/shared/src/${name.slice(SHARED.length)}`;
      return name.startsWith(".") ? normalize(join(dirname(from), name)) : name;
    };
    const now = [...text.matchAll(IMPORT)].map(([, type, names = "", name]): Arrow => {
      const each = /^\{([^}]*)\}$/
        .exec(names.trim())?.[1]
        ?.split(",")
        .map((one) => one.trim());
      const typesOnly = type === "type" || (each?.filter(Boolean).every((one) => one.startsWith("type ")) ?? false);
      return { from, to: target(name!), typesOnly };
    });
    const later = [...text.matchAll(LATER)].map(([, name]): Arrow => ({ from, to: target(name!), typesOnly: false }));
    return [...now, ...later];
  });
}

/** What runs because `from` runs: along arrows of values, the first path to each place. */
export function reached(arrows: readonly Arrow[], from: string): Map<string, string[]> {
  const next = new Map<string, string[]>();
  for (const arrow of arrows) if (!arrow.typesOnly) next.set(arrow.from, [...(next.get(arrow.from) ?? []), arrow.to]);
  const paths = new Map<string, string[]>([[from, [from]]]);
  for (const [place, path] of paths)
    for (const to of next.get(place) ?? []) if (!paths.has(to)) paths.set(to, [...path, to]);
  return paths;
}
