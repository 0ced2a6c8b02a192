/** A laid-out tree → one .deb, whole or not there at all. */
import { rename, rm } from "node:fs/promises";
import { tool } from "./run.ts";

/** xz is small and slow; gzip is for tests. */
export type Compression = "xz" | "gzip";

export type PackOptions = {
  epoch: number;
  compression: Compression;
  say: (line: string) => void;
  /** Looks at what was packed, and throws where it may not have its name. */
  judge?: ((packed: string) => Promise<void>) | undefined;
  beatMs?: number;
};

const ARGS = { xz: ["-Zxz", "-z6"], gzip: ["-Zgzip", "-z1"] } as const;
/** How often a long wait says that it goes on. */
const BEAT_MS = 10_000;

/** It is packed beside its name and moved there at the end: whatever ends the packing leaves no half of a package under a
 *  name that people install. @throws DebError */
export async function pack(
  tree: string,
  file: string,
  { epoch, compression, say, judge, beatMs = BEAT_MS }: PackOptions,
): Promise<void> {
  const begun = `${file}.begun`;
  say(`Packing ${file} …`);
  const startedAt = Date.now();
  const beat = setInterval(() => say(`  … still packing (${Math.round((Date.now() - startedAt) / 1000)} s)`), beatMs);
  try {
    await tool("dpkg-deb", ["--root-owner-group", ...ARGS[compression], "--build", tree, begun], {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    });
    await judge?.(begun);
    await rename(begun, file);
  } catch (error) {
    await rm(begun, { force: true });
    throw error;
  } finally {
    clearInterval(beat);
  }
}
