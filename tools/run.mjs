// `npm run deb`, `hv`, `workstation`: installs what is missing, then runs the named file under Node 24, which the packages
// bring, with the words behind it as its own.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { install, NODE, ROOT } from "./install.mjs";

const [file, ...words] = process.argv.slice(2);
if (!file) {
  process.stderr.write("tools/run.mjs runs a file of this clone: node tools/run.mjs packages/deb/src/deb.ts --help\n");
  process.exit(1);
}

try {
  // standard output is the program's own: a script may read it
  await install((line) => process.stderr.write(`${line}\n`));
} catch (error) {
  process.stderr.write(`\n${error.message}\n`);
  process.exit(1);
}

const child = spawn(NODE, ["--disable-warning=ExperimentalWarning", resolve(ROOT, file), ...words], {
  stdio: "inherit",
});
// Ctrl-C reaches the child by itself: a terminal signals the whole group. What is sent to this process alone is passed on.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
