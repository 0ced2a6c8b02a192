/** A file a person named, as text. */
import { readFileSync } from "node:fs";
import { Fault } from "./fault.ts";

/** `-` is standard input. */
export function readArgumentFile(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path === "-" ? 0 : path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new Fault(`There is no ${path}.`);
    if (code === "EISDIR") throw new Fault(`${path} is a folder.`);
    throw new Fault(
      error instanceof TypeError ? `${path} is not UTF-8 text.` : `${path} cannot be read: ${(error as Error).message}`,
      1,
      { cause: error },
    );
  }
}
