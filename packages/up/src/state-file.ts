/** Small JSON files of the state folder ↔ values: written whole or not at all, and what is torn is named. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { z } from "zod";

/** @throws Error that says what is wrong with it, without the file's name: the caller says what to do */
export function readStateFile<S extends z.ZodType>(schema: S, file: string): z.infer<S> {
  const read = schema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Error(`${issue?.path.join(".") || "it"}: ${issue?.message}`);
}

/** On disk before it takes the old one's name: after a loss of power there is one of the two, and it is whole. */
export function replaceFile(file: string, text: string): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, text, { mode: 0o600, flush: true });
  renameSync(fresh, file);
  const folder = openSync(dirname(file), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
