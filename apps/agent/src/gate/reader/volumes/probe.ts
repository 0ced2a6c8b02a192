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
      const volume = probe(source);
      return volume === null ? [] : withCopy(source, volume);
    } catch (error) {
      const problem = `its ${fileSystem} ${reason(error)}`;
      return { fileSystem, bytes: source.size, problem, entries: function* () {} };
    }
  });
}

/** NTFS keeps a copy of its first sector in the one behind what it claims. */
function withCopy(source: Source, volume: Volume): Volume {
  const { fileSystem, bytes } = volume;
  if (fileSystem !== "ntfs") return volume;
  const sector = source.read(0, 512).readUInt16LE(11);
  if (sector === 0 || bytes + sector > source.size) return volume;
  const copied = source.read(bytes, sector).equals(source.read(0, sector));
  return copied ? { ...volume, bytes: bytes + sector } : volume;
}
