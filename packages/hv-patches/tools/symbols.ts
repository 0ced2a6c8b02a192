/** The functions of a built hypervisor: their names, and how long each is. */
import path from "node:path";
import { run } from "./run.ts";
import type { Built } from "./tree.ts";

/** xen.efi keeps its symbols, the multiboot image does not. */
const tableOf = (built: Built) =>
  run("nm", ["--defined-only", "--numeric-sort", built.efi ?? path.join(path.dirname(built.xen), "xen")]);

/** Compilers' clones (`.part.0`) count as the function. ignore_param() names its entries by their line, which moves. */
const plainName = (name: string) =>
  name.replace(/\.(part|constprop|isra|cold|lto_priv)\b.*$/, "").replace(/_ign_\d+$/, "_ign");

export async function symbolsOf(built: Built): Promise<Set<string>> {
  const table = await tableOf(built);
  return new Set(table.split("\n").flatMap((line) => plainName(/^[0-9a-f]+ [tT] (\S+)$/.exec(line)?.[1] ?? "") || []));
}

/** Marks of the linker's and of Xen's tables, which lie among the functions. */
const NO_FUNCTION = /^(__setup_|__(alt|ctors|dtors|initcall)|_e[a-z]*text$|.*\.unlikely$|text\.\d+$)/;

/** Bytes of each function with its clones, up to the next symbol: what aligns that one counts with it. */
export async function lengthsOf(built: Built): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const rows = [...(await tableOf(built)).matchAll(/^([0-9a-f]+) (\w) (\S+)$/gm)];
  for (const [at, [, address, kind, symbol]] of rows.entries()) {
    const next = rows[at + 1]?.[1];
    if (next === undefined || !/[tT]/.test(kind!) || NO_FUNCTION.test(symbol!)) continue;
    const name = plainName(symbol!);
    found.set(name, (found.get(name) ?? 0) + Number(BigInt(`0x${next}`) - BigInt(`0x${address}`)));
  }
  return found;
}
