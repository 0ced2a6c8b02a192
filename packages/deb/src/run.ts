/** Debian's own tools, each with a bound; one that is absent is named with its package. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const MS_MAX = 600_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Which Debian package brings it. */
const PACKAGES = { "dpkg-deb": "dpkg", strip: "binutils", gpg: "gnupg", "dpkg-scanpackages": "dpkg-dev" } as const;
export type Tool = keyof typeof PACKAGES;

export class DebError extends Error {
  override name = "DebError";
}

/** @throws DebError with what the tool said */
export async function tool(name: Tool, args: readonly string[], more: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  try {
    const options = { timeout: MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, ...more, env: { ...process.env, ...more.env } };
    return (await run(name, [...args], options)).stdout;
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT")
      throw new DebError(`There is no ${name} here. Get it with: sudo apt-get install ${PACKAGES[name]}`);
    throw new DebError(`${name} failed: ${(stderr || message).trim().slice(0, 2_000)}`);
  }
}
