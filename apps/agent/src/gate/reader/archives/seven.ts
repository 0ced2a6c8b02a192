/** Everything else → a folder of its own, by 7z, inside the same confinement: what it writes is bounded by that folder's
 *  file system. It is told the type, so that it opens one layer and guesses nothing, and to keep a second file of the
 *  same name beside the first. Of what it prints only its own last lines are read. */
// biome-ignore lint/style/noRestrictedImports: the reader is a program of its own, confined; what it starts is as well
import { spawn } from "node:child_process";
import { Damaged } from "../source.ts";

const OUTPUT_CHARS_MAX = 64 * 1024;
/** `bytes`: of all that was packed, links and what it took for folders among it. */
export type Laid = { files: number; bytes: number; warning: string | null };

const SWITCHES = ["x", "-y", "-aou", "-bd", "-bb0", "-bso1", "-bse2", "-bsp0", "-pnone"];

/** It is not what it was taken for. */
export class NoArchive extends Damaged {}

/** How many files it says it unpacked, links among them; and why that may not be all.
 *  @throws Damaged where 7z could not unpack all of it */
export async function unpackWithSeven(
  type: string,
  name: string,
  file: string,
  into: string,
  timeMs: number,
): Promise<Laid> {
  const child = spawn("7z", [...SWITCHES, `-t${type}`, `-o${into}`, "--", file], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let errors = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said = (said + bytes.toString("latin1")).slice(-OUTPUT_CHARS_MAX);
  });
  child.stderr.on("data", (bytes: Buffer) => {
    if (errors.length < OUTPUT_CHARS_MAX) errors += bytes.toString("latin1");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeMs);
  try {
    const code = await new Promise<number | string>((resolve) => {
      child.on("error", (error) => resolve(`7z cannot be run (${error.message})`));
      child.on("close", (exit, signal) => resolve(exit ?? `7z was ended by ${signal}`));
    });
    if (code === 0) return unpackedFiles(said, name);
    if (typeof code === "string") throw new Damaged(`is ${name} and cannot be unpacked: ${code}`);
    if (/password|encrypted/i.test(errors)) throw new Damaged("encrypted");
    if (/no space|errno=28/i.test(errors)) throw new Damaged("it unpacks to more than there is room for");
    if (/errno=27/.test(errors)) throw new Damaged("it unpacks to more than there is room for");
    if (/unsupported method/i.test(errors))
      throw new Damaged(`is ${name}, packed by a method that this machine's 7z does not know`);
    if (/after the end/i.test(errors)) throw new Damaged(`is ${name} with something behind its end`);
    const why = `is ${name} and cannot be unpacked: 7z ended with ${code}`;
    throw /cannot open the file as/i.test(errors) ? new NoArchive(why) : new Damaged(why);
  } finally {
    clearTimeout(timer);
  }
}

/** By its closing lines; what stands before them may come from the archive. */
export function unpackedFiles(said: string, name: string): Laid {
  const at = said.lastIndexOf("\nEverything is Ok\n");
  if (at < 0) throw new Damaged(`is ${name}, and 7z does not say that all of it is there`);
  const laid: Laid = { files: 1, bytes: 0, warning: null };
  for (const line of said.slice(at).split("\n").slice(2)) {
    const [, key, value] = /^(Folders|Files|Size|Compressed): +(\d+)$/.exec(line) ?? [];
    if (key === "Files") laid.files = Number(value);
    if (key === "Size") laid.bytes = Number(value);
    if (key !== undefined || line === "") continue;
    const why = line.includes("Alternate") ? "hidden streams" : "something behind its end, or not where it should be";
    laid.warning ??= `is ${name}, and 7z warns that it has ${why}`;
  }
  return laid;
}
