/** For tests that scan in a process of their own: the confined reader in one file, as the package has it. From source it
 *  strips the types of its files at each start, for want of a cache in its room, and took longer to start than to scan. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { bundleReader } from "../packages/deb/src/bundle.ts";

const AGENT = fileURLToPath(new URL("../apps/agent", import.meta.url));
const OWN_FILES = join(AGENT, "src/dom0/own-files.ts");
const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const READER = join(CACHE, "reader");

/** Before the first test of a run: it is of the source as it is now, and another run beside this one is let be. */
export default async function setup(): Promise<void> {
  mkdirSync(READER, { recursive: true });
  // the reader is another user
  chmodSync(READER, 0o755);
  const aside = mkdtempSync(join(CACHE, "reader-"));
  try {
    await bundleReader(aside, "0.0.0");
    for (const name of readdirSync(aside)) renameSync(join(aside, name), join(READER, name));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Where the agent's own files lie, to those tests. */
export function packedReader(): Plugin {
  const files = { folder: READER, modules: null, manifest: join(AGENT, "package.json") };
  const answer = (main: string) => `() => (${JSON.stringify({ ...files, main })})`;
  const text = `export const readerFiles = ${answer("main.js")};\nexport const rebuilderFiles = ${answer("rebuild.js")};\n`;
  return { name: "packed-reader", enforce: "pre", load: (id) => (id === OWN_FILES ? text : undefined) };
}
