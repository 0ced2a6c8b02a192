// `npm run up`: installs what is missing, then starts packages/up under Node 24, which the packages bring.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { generate } from "../prisma/generate.mjs";
import { install, NODE, ROOT } from "./install.mjs";

const say = (line) => process.stdout.write(`${line}\n`);

try {
  await install(say);
  if (generate()) say("Made the database client.");
} catch (error) {
  process.stderr.write(`\n${error.message}\n`);
  process.exit(1);
}

const child = spawn(NODE, ["--disable-warning=ExperimentalWarning", join(ROOT, "packages/up/src/main.ts")], {
  stdio: "inherit",
});
// Ctrl-C reaches the child by itself: a terminal signals the whole group. What is sent to this process alone is passed on.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
