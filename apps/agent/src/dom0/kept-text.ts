/** One text file of the agent's own: whole or not at all, and on disk when it is written. */
import { replaceFile } from "../enrol/folder.ts";
import type { Dom0 } from "./dom0.ts";

export type KeptText = { read(): Promise<string | undefined>; write(text: string): void };

export const keptText = (dom0: Pick<Dom0, "readText">, path: string, bytesMax: number): KeptText => ({
  read: () => dom0.readText(path, bytesMax),
  write: (text) => replaceFile(path, text),
});
