/** The patched hypervisor, as packages/hv-patches builds it into the cache. */
import { existsSync } from "node:fs";
import { loadSeries } from "../../packages/hv-patches/tools/series.ts";
import { buildXen, openTree } from "../../packages/hv-patches/tools/tree.ts";

/** The path of the multiboot image to boot: built from the series, or the one that SALLYPORT_XEN names. */
export async function hypervisor(say: (line: string) => void): Promise<string> {
  const own = process.env.SALLYPORT_XEN;
  if (own !== undefined) {
    if (!existsSync(own)) throw new Error(`SALLYPORT_XEN names ${own}, which is not there`);
    return own;
  }
  say("hypervisor: Xen with the series (about 2 minutes when it is not in the cache)");
  const built = await buildXen(await openTree(), await loadSeries(), "release");
  return built.xen;
}
