// The packages.txt files: Debian packages that tests or features need, one a line, `#` begins a comment.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./install.mjs";

export function packageFiles() {
  const folders = ["apps", "packages", "e2e"].flatMap((parent) => [
    parent,
    ...readdirSync(join(ROOT, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
      .map((entry) => `${parent}/${entry.name}`),
  ]);
  return folders.map((folder) => join(ROOT, folder, "packages.txt")).filter((file) => existsSync(file));
}

export function wantedPackages() {
  const names = packageFiles().flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim())
      .filter(Boolean),
  );
  return [...new Set(names)].sort();
}

/** Those of the wanted ones that dpkg does not know as installed; all of them where there is no dpkg. */
export function absentPackages() {
  const wanted = wantedPackages();
  let installed = new Set();
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own
    const list = execFileSync("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Abbrev}\n"], { encoding: "utf8" });
    const rows = list.split("\n").map((line) => line.split(" "));
    installed = new Set(rows.filter(([, status]) => status?.startsWith("ii")).map(([name]) => name));
  } catch {} // not Debian
  return wanted.filter((name) => !installed.has(name));
}

export const aptLine = (names) => `sudo apt-get install -y --no-install-recommends ${names.join(" ")}`;

if (process.argv[1] === join(ROOT, "tools/packages.mjs")) for (const name of wantedPackages()) console.log(name);
