/** One proving boot: what Xen, QEMU and dom0's job are unless it says otherwise. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Boot, boot, type Facts, PRIMARY_UUID } from "../boot.ts";
import { loadSeries, type Variant } from "../series.ts";
import { type Built, buildXen, openTree } from "../tree.ts";
import { PACKAGE } from "../upstream.ts";

export const lowmem = (mark = "1G") => `lowmem_domu=${mark} lowmem_uuid=${PRIMARY_UUID}`;
export const EDU = ["-device", "edu,addr=5,dma_mask=0xffffffffffffffff"];
/** Two of these and a build fit into the limit of a suite's hooks (vitest.config.ts). */
const BOOT_MS_MAX = 1_000_000;

/** Xen with the whole series, or with none of it. */
export async function xenOf(what: Variant | "unpatched"): Promise<Built> {
  const tree = await openTree();
  const patches = await loadSeries();
  return what === "unpatched" ? buildXen(tree, [], "release") : buildXen(tree, patches, what);
}

const jobText = (name: string) => readFile(path.join(PACKAGE, "proofs/jobs", `${name}.sh`), "utf8");

type Plan = Partial<Omit<Boot, "name" | "xen" | "job">> & { before?: string };

export async function bootJob(name: string, job: string, xen: Variant | "unpatched", plan: Plan): Promise<Facts> {
  const { before = "", ...more } = plan;
  return boot({
    name,
    xen: await xenOf(xen),
    job: `${before}\n${await jobText(job)}`,
    options: lowmem(),
    qemu: EDU,
    memoryMiB: 4096,
    hide: "(00:05.0)",
    route: "kernel",
    boundMs: BOOT_MS_MAX,
    ...more,
  });
}
