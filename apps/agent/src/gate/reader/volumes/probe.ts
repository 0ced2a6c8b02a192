/** Source → every file system that it could be read as. */
import type { Source } from "../source.ts";
import { type Probe, reason, type Volume } from "../volume.ts";
import { exfat } from "./exfat.ts";
import { ext } from "./ext.ts";
import { fat } from "./fat.ts";
import { iso } from "./iso.ts";
import { ntfs } from "./ntfs.ts";

const PROBES: [string, Probe][] = [
  ["ext", ext],
  ["fat", fat],
  ["exfat", exfat],
  ["ntfs", ntfs],
  ["iso9660", iso],
];

export function volumesIn(source: Source): Volume[] {
  return PROBES.flatMap(([fileSystem, probe]) => {
    try {
      return probe(source) ?? [];
    } catch (error) {
      const problem = `its ${fileSystem} ${reason(error)}`;
      return { fileSystem, bytes: source.size, problem, entries: function* () {} };
    }
  });
}
