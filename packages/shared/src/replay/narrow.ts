/** A scan's facts → the few that `decide` can tell apart. Names of files go: the record has them, and an input outlives a
 *  record's content. Hashes go as well: the console asks its own index of files for those that a policy denies. Pure. */
import type { ManifestFile } from "../usb/manifest.ts";
import type { ScanFacts } from "../usb/scan.ts";

/** Types a stick may hold before the rest are one: more are never told apart by a person either. */
export const TYPES_MAX = 512;
const STALE = "stale definitions";

/** One file stands for all of a finding and a type. What was clean under definitions that a policy then called stale is
 *  clean again: whether they are stale is the policy's to say. */
export function narrow(facts: ScanFacts): ScanFacts {
  const { image, scanner, partitions, problems, outside } = facts;
  return {
    ...(image && { image }),
    manifest: narrowFiles(facts.manifest),
    scanner,
    ...(partitions && {
      partitions: partitions
        .filter(({ problem, fileSystem }) => problem !== undefined || fileSystem === null)
        .map(({ label: _, ...rest }) => rest),
    }),
    ...(outside?.some(({ zeros }) => !zeros) && { outside: outside.filter(({ zeros }) => !zeros) }),
    ...(problems && problems.length > 0 && { problems }),
  };
}

export function narrowFiles(files: readonly ManifestFile[]): ManifestFile[] {
  const kept = new Map<string, ManifestFile>();
  for (const { type, finding: found, detail } of files) {
    const finding = found === "unscannable" && detail === STALE ? "clean" : found;
    const key = `${finding} ${type}`;
    if (kept.has(key) || (kept.size >= TYPES_MAX && finding === "clean")) continue;
    kept.set(key, { path: finding, size: 0, md5: null, sha256: null, type, finding });
  }
  return [...kept.values()];
}
