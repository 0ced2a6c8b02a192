/** Artifacts in words, and in a policy's. Pure. */
import type { ArtifactKind, ArtifactRow } from "@sallyport/shared/artifact/artifact.ts";

export const KIND_WORDS: Record<ArtifactKind, string> = {
  "suricata-rules": "Rule sets of the detector",
  "clamav-definitions": "Definitions of the scanner",
};

/** What a file is by its name; undefined: neither. */
export function kindOf(name: string): ArtifactKind | undefined {
  if (/\.(?:rules|tar|tar\.gz|tgz)$/.test(name)) return "suricata-rules";
  return /\.[a-z0-9]{2,4}$/.test(name) ? "clamav-definitions" : undefined;
}

export const rulesLine = ({ sha256 }: Pick<ArtifactRow, "sha256">): string => `ids:\n  rules: ${sha256}\n`;

/** The newest of each name: a set is whole, and what it does not name is not loaded. `rows` are newest first. */
export function definitionsLines(rows: readonly Pick<ArtifactRow, "kind" | "name" | "sha256">[]): string {
  const newest = new Map<string, string>();
  for (const { kind, name, sha256 } of rows)
    if (kind === "clamav-definitions" && !newest.has(name)) newest.set(name, sha256);
  const lines = [...newest]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sha256]) => `    - { name: ${name}, sha256: ${sha256} }\n`);
  return `usb:\n  definitions:\n${lines.join("")}`;
}
