/** apps/web → .next, when what it is made from changed since. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const WEB = join(ROOT, "apps/web");
const SOURCES = ["apps/web/src", "apps/web/public", "packages/shared/src", "prisma/model", "prisma/schema.prisma"];
const SETTINGS = [
  "package-lock.json",
  "apps/web/package.json",
  "apps/web/next.config.ts",
  "apps/web/postcss.config.mjs",
  "apps/web/tsconfig.json",
];
/** A build takes about 20 s; on a slow machine that another build keeps busy, minutes. */
const OTHER_BUILD_MS_MAX = 600_000;

export function nextProgram(): string {
  return createRequire(join(WEB, "package.json")).resolve("next/dist/bin/next");
}

/** Builds unless the last build was from the same sources; two processes do not build at once. */
export async function ensureBuilt(say: (line: string) => void, signal?: AbortSignal): Promise<void> {
  const stamp = join(WEB, ".next", "built-from");
  const isFresh = (wanted: string) => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  const wanted = fingerprint();
  if (isFresh(wanted)) return;
  const release = await takeLock(join(WEB, ".next-building"), signal);
  try {
    if (isFresh(wanted)) return;
    const startedAt = Date.now();
    say("Building the console (once, and after each change; a minute or two) …");
    rmSync(stamp, { force: true });
    await build(say, signal);
    writeFileSync(stamp, wanted);
    say(`Built in ${Math.round((Date.now() - startedAt) / 1000)} s.`);
  } finally {
    release();
  }
}

function fingerprint(): string {
  const hash = createHash("sha256").update(process.version);
  const add = (path: string) => hash.update(`\0${path}\0`).update(readFileSync(join(ROOT, path)));
  for (const path of SETTINGS) if (existsSync(join(ROOT, path))) add(path);
  for (const source of SOURCES) for (const path of filesOf(source)) if (!/\.test\.tsx?$/.test(path)) add(path);
  return hash.digest("hex");
}

function filesOf(path: string): string[] {
  const full = join(ROOT, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  const entries = readdirSync(full, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const below = `${path}/${entry.name}`;
    return entry.isDirectory() ? filesOf(below) : [below];
  });
}

async function build(say: (line: string) => void, signal: AbortSignal | undefined): Promise<void> {
  const child = spawn(process.execPath, [nextProgram(), "build"], {
    cwd: WEB,
    env: { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      output = (output + bytes.toString("utf8")).slice(-20_000);
    });
  const beat = setInterval(() => say("  … still building"), 10_000);
  try {
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once("error", reject).once("exit", resolve),
    );
    if (code !== 0) throw new Error(`The console could not be built:\n${output.trim()}`);
  } finally {
    clearInterval(beat);
  }
}

/** A file with the builder's process id; one whose process is gone is taken over. */
async function takeLock(file: string, signal: AbortSignal | undefined): Promise<() => void> {
  for (const end = Date.now() + OTHER_BUILD_MS_MAX; ; await delay(500, undefined, { signal })) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (!isAlive(Number(readFileSync(file, "utf8")))) rmSync(file, { force: true });
      else if (Date.now() > end) throw new Error(`Another build goes on for too long (${file}).`);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  try {
    await ensureBuilt((line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}
