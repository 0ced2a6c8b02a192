/** Everything else → a folder of its own, by 7z, inside the same confinement: what it writes is bounded by that folder's
 *  file system, and nothing it prints is read but whether it asked for a password. */
// biome-ignore lint/style/noRestrictedImports: the reader is a program of its own, confined; what it starts is as well
import { spawn } from "node:child_process";
import { Damaged } from "../source.ts";

const OUTPUT_BYTES_MAX = 64 * 1024;

/** @throws Damaged where 7z could not unpack all of it */
export async function unpackWithSeven(file: string, into: string, timeMs: number): Promise<void> {
  const child = spawn("7z", ["x", "-y", "-bd", "-bso0", "-bsp0", "-pnone", `-o${into}`, "--", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => {
    if (said.length < OUTPUT_BYTES_MAX) said += bytes.toString("latin1");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeMs);
  try {
    const code = await new Promise<number | string>((resolve) => {
      child.on("error", (error) => resolve(`7z cannot be run (${error.message})`));
      child.on("close", (exit, signal) => resolve(exit ?? `7z was ended by ${signal}`));
    });
    if (code === 0) return;
    if (typeof code === "string") throw new Damaged(`cannot be unpacked: ${code}`);
    if (/password|encrypted/i.test(said)) throw new Damaged("encrypted");
    if (/no space/i.test(said)) throw new Damaged("it unpacks to more than there is room for");
    throw new Damaged(`cannot be unpacked: 7z ended with ${code}`);
  } finally {
    clearTimeout(timer);
  }
}
