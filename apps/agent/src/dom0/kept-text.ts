/** One text file of the agent's own: whole or not at all, and on disk when it is written. */
import { replaceFile } from "../enrol/folder.ts";
import type { Dom0 } from "./dom0.ts";

export type KeptText = { read(): Promise<string | undefined>; write(text: string): void };

/** A file larger than the bound is not ours, and as good as none. */
export const keptText = (dom0: Pick<Dom0, "readText" | "facts">, path: string, bytesMax: number): KeptText => ({
  async read() {
    const size = (await dom0.facts(path))?.size;
    return size === undefined || size > bytesMax ? undefined : dom0.readText(path, size + 1);
  },
  write: (text) => replaceFile(path, text),
});
