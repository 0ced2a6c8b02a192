/** The agent's TypeScript and its packages → a few JavaScript files that need nothing but Node: the command, split where
 *  it imports late, and the confined reader, which is one file alone. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Plugin, rolldown } from "rolldown";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const AGENT = join(ROOT, "apps/agent");
const OWN_FILES = join(AGENT, "src/dom0/own-files.ts");
const VERSION = join(AGENT, "src/version.ts");

/** Writes `lib/` and `reader/` into `folder`. */
export async function bundle(folder: string, version: string): Promise<void> {
  await write({ cli: join(AGENT, "src/cli.ts") }, join(folder, "lib"), version);
  await bundleReader(join(folder, "reader"), version);
}

/** The confined reader and the rebuilder beside it. */
export async function bundleReader(folder: string, version: string): Promise<void> {
  await write({ main: join(AGENT, "src/gate/reader/main.ts") }, folder, version);
  await write({ rebuild: join(AGENT, "src/gate/rebuild/main.ts") }, folder, version);
}

async function write(input: Record<string, string>, dir: string, version: string): Promise<void> {
  const built = await rolldown({ input, cwd: ROOT, platform: "node", plugins: [installed(version)] });
  try {
    await built.write({ dir, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
  } finally {
    await built.close();
  }
}

/** What is another file in the package than from source. */
const installed = (version: string): Plugin => ({
  name: "installed",
  load(id) {
    if (id === VERSION) return `export const AGENT_VERSION = ${JSON.stringify(version)};`;
    if (id === OWN_FILES)
      return `export { readerFiles, rebuilderFiles } from ${JSON.stringify(join(ROOT, "packages/deb/src/installed-files.ts"))};`;
    return undefined;
  },
});
