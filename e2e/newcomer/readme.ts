/** The commands a newcomer is told to type: fenced `sh` blocks of a page. */
import { readFileSync } from "node:fs";

export type Block = { line: number; text: string };

export function shellBlocks(file: string): Block[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] !== "```sh") continue;
    const end = lines.indexOf("```", at + 1);
    if (end < 0) throw new Error(`${file}:${at + 1}: a block without an end`);
    blocks.push({ line: at + 2, text: lines.slice(at + 1, end).join("\n") });
    at = end;
  }
  return blocks;
}
