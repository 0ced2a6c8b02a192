/** upstream.json → the two archives of Xen's Debian source, checked, in the cache. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { fetchSource } from "./debian.ts";

export const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const SourceFile = z.object({ file: z.string().min(1), sha256: Sha256 }).strict();

/** One version of Xen that the series was proved on. */
export const Upstream = z
  .object({
    version: z.string().min(1),
    suite: z.string().min(1),
    licence: z.literal("GPL-2.0-only"),
    source: z.literal("xen"),
    orig: SourceFile,
    debian: SourceFile,
  })
  .strict();
export type Upstream = z.infer<typeof Upstream>;

export type Fetched = { upstream: Upstream; orig: string; debian: string };

/** Newest first. */
export async function provenVersions(): Promise<Upstream[]> {
  const text = await readFile(path.join(PACKAGE, "upstream.json"), "utf8");
  return z.array(Upstream).min(1).parse(JSON.parse(text));
}

/** The newest proven version that the mirror still serves (or that is in the cache). */
export async function fetchUpstream(): Promise<Fetched> {
  const versions = await provenVersions();
  const causes: unknown[] = [];
  for (const upstream of versions) {
    try {
      const orig = await fetchSource(upstream.source, upstream.orig.file, upstream.orig.sha256);
      const debian = await fetchSource(upstream.source, upstream.debian.file, upstream.debian.sha256);
      return { upstream, orig, debian };
    } catch (cause) {
      causes.push(cause);
    }
  }
  const said = causes.map((each) => (each instanceof Error ? each.message : String(each)));
  throw new AggregateError(causes, [whyNone(versions, said), ...said].join("\n"));
}

/** Only a mirror that answers can be said not to have a file. apt's words for one that does not: */
const NO_ANSWER =
  /Could not (connect|resolve|handshake)|Temporary failure resolving|Unable to connect|Connection (failed|timed out|reset)|Network is unreachable|ran longer than/i;

export function whyNone(versions: readonly Upstream[], said: readonly string[]): string {
  const names = versions.map((each) => each.version).join(", ");
  if (said.every((each) => NO_ANSWER.test(each)))
    return `this machine's Debian mirror cannot be reached, and the sources of Xen (${names}) are not whole in the cache: look at the network and at apt's proxy, then run again.`;
  return `this machine's Debian mirror serves none of the versions of Xen that the series was proved on (${names}). To prove another one: put its version, file names and sha256 sums (from the signed .dsc) first in packages/hv-patches/upstream.json, then run "npm run hv -- check", "npm run hv -- build --each" and "npm run hv -- boot", and mend the patches that no longer apply.`;
}
