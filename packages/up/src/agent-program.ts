/** The agent's TypeScript → a few JavaScript files in the state folder. From source the agent would keep in memory, all
 *  its life, what strips the types and every module's text: a third more than it needs (docs/benchmarks.md). */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";
import { ROOT } from "./build.ts";

const AGENT = join(ROOT, "apps/agent");
/** Says where the agent's other programs lie, from where it lies itself: that stays the clone. */
const OWN_FILES = join(AGENT, "src/dom0/own-files.ts");

/** Made anew at each start, beside the old one and then in its place; returns the file to run. */
export async function makeAgentProgram(stateFolder: string): Promise<string> {
  const folder = join(stateFolder, "agent-program");
  const made = `${folder}.new`;
  rmSync(made, { recursive: true, force: true });
  const built = await rolldown({
    input: { cli: join(AGENT, "src/cli.ts") },
    cwd: ROOT,
    platform: "node",
    plugins: [ownFiles],
  });
  try {
    await built.write({
      dir: made,
      format: "esm",
      entryFileNames: "[name].js",
      chunkFileNames: "[name]-[hash].js",
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } }, // names stay: stacks are read
    });
  } finally {
    await built.close();
  }
  for (const name of readdirSync(made)) inAscii(join(made, name));
  writeFileSync(join(made, "package.json"), '{"type":"module"}\n');
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
  return join(folder, "cli.js");
}

const ownFiles: Plugin = {
  name: "own-files",
  load(id) {
    if (id !== OWN_FILES) return undefined;
    return readFileSync(id, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href));
  },
};

/** One character beyond Latin-1 makes V8 keep a whole file at two bytes a character. */
function inAscii(file: string): void {
  const text = readFileSync(file, "utf8");
  const escaped = text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  writeFileSync(file, escaped);
}
