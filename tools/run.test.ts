import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { NODE, ROOT } from "./install.mjs";

const run = promisify(execFile);

test("no command of package.json hands TypeScript to whatever Node the machine has", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const bare = Object.entries(scripts).filter(([, command]) =>
    command.split("&&").some((each) => /\.ts\b/.test(each) && !each.trim().startsWith("node tools/run.mjs ")),
  );
  expect(bare).toEqual([]);
});

test("a file is run under the packages' Node, with its words and its exit code, and standard output is its own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-run-"));
  const file = join(folder, "say.ts");
  writeFileSync(
    file,
    "const words: string[] = process.argv.slice(2);\nconsole.log(process.version, words.join('|'));\nprocess.exitCode = 3;\n",
  );
  try {
    const { stdout: version } = await run(NODE, ["--version"]);
    const failed = await run("node", [join(ROOT, "tools/run.mjs"), file, "--json", "two words"]).catch(
      (error: { code: number; stdout: string }) => error,
    );
    expect(failed).toMatchObject({ code: 3, stdout: `${version.trim()} --json|two words\n` });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
