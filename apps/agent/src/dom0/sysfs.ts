/** dom0's doors → the kernel's sysfs: an attribute read, a folder listed, an attribute written and read back. What has
 *  gone meanwhile is an answer of its own; whatever else the kernel says is a DoorError. */
import { constants, readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { DoorError } from "./dom0.ts";

const TEXT_BYTES_MAX = 4_096;

export const isGone = (error: unknown): boolean =>
  ["ENOENT", "ENODEV", "ENOTDIR", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? "");

/** What a device says of itself: cut, and made Unicode. */
export async function text(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path)).subarray(0, TEXT_BYTES_MAX).toString("utf8").replace(/\n$/, "").toWellFormed();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw new DoorError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** What the kernel knows without a lock or a word from the device. It is asked for at each look, and read in place: to
 *  hand each of these files to another thread costs more than reading it. */
export function known(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").replace(/\n$/, "");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw new DoorError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Sorted; of a folder that has gone, nothing. */
export async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw new DoorError(`cannot list ${folder}: ${(error as Error).message}`, { cause: error });
  }
}

/** What is there already, and not to be read: sysfs opens `bind` for nothing but writing, also for root. False where it
 *  has gone. @throws DoorError where the kernel does not take it */
export async function write(path: string, value: string): Promise<boolean> {
  try {
    await writeFile(path, `${value}\n`, { flag: constants.O_WRONLY });
  } catch (error) {
    if (isGone(error)) return false;
    throw new DoorError(`cannot write ${value} to ${path}: ${(error as Error).message}`, { cause: error });
  }
  return true;
}

/** False where it has gone. @throws DoorError where it is not so afterwards */
export async function writeBack(path: string, value: "0" | "1"): Promise<boolean> {
  if (!(await write(path, value))) return false;
  const found = known(path)?.trim();
  if (found === undefined) return false;
  if (found !== value) throw new DoorError(`${path} was set to ${value} and reads ${found}`);
  return true;
}
