/** The functions of a built hypervisor, by name. */
import path from "node:path";
import { run } from "./run.ts";
import type { Built } from "./tree.ts";

/** xen.efi keeps its symbols, the multiboot image does not. Compilers' clones (`.part.0`) count as the function. */
export async function symbolsOf(built: Built): Promise<Set<string>> {
  const table = await run("nm", ["--defined-only", built.efi ?? path.join(path.dirname(built.xen), "xen")]);
  const names = table.split("\n").flatMap((line) => /^[0-9a-f]+ [tT] (\S+)$/.exec(line)?.[1] ?? []);
  // Xen's ignore_param() names its entries by the line they stand in, which moves.
  return new Set(
    names.map((name) => name.replace(/\.(part|constprop|isra|cold|lto_priv)\b.*$/, "").replace(/_ign_\d+$/, "_ign")),
  );
}
