/** packages.txt → what is missing on this machine, as one sentence. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { RunFailed, run } from "./run.ts";
import { PACKAGE } from "./upstream.ts";

const OWN = path.join(PACKAGE, "packages.txt");

/** Debian packages of a packages.txt that are not installed here. */
export async function missingPackages(list: string = OWN): Promise<string[]> {
  const wanted = (await readFile(list, "utf8")).split("\n").filter((line) => line !== "");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own place holders
  const listed = await run("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n", ...wanted], {
    accept: [1],
  }).catch((error: unknown) => {
    if (error instanceof RunFailed) return "";
    throw error;
  });
  const here = new Set(
    listed.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]!] : [])),
  );
  return wanted.filter((name) => !here.has(name));
}

export async function needsSentence(list: string = OWN): Promise<string | undefined> {
  const missing = await missingPackages(list);
  if (missing.length === 0) return undefined;
  return `the hypervisor's builds and boots need Debian packages that are not installed here: ${missing.join(" ")}. Get them with: apt-get install ${missing.join(" ")}`;
}
