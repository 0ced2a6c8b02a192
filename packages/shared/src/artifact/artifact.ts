/** A file the fleet fetches by its sha256 and a policy names: rule sets of the detector, definitions of the scanner. */
import { z } from "zod";
import { Sha256 } from "../base/ids.ts";

const MIB = 1024 * 1024;

export const ARTIFACT_KINDS = ["suricata-rules", "clamav-definitions"] as const;
export const ArtifactKind = z.enum(ARTIFACT_KINDS);
export type ArtifactKind = z.infer<typeof ArtifactKind>;

/** The largest published rule set has some 40 MB; ClamAV's main.cvd 160 MB, unpacked as .cld 230 MB. */
export const ARTIFACT_BYTES_MAX: Record<ArtifactKind, number> = {
  "suricata-rules": 128 * MIB,
  "clamav-definitions": 512 * MIB,
};

/** The databases that clamd loads by the end of their names; what it would pass over in silence is none. */
export const DEFINITIONS_FORMATS = [
  ...["cvd", "cld", "cud"],
  ...["hdb", "hsb", "hdu", "hsu", "mdb", "msb", "mdu", "msu", "imp"],
  ...["ndb", "ndu", "ldb", "ldu", "sdb", "zmd", "rmd", "idb", "cdb", "crb", "pdb", "gdb", "wdb", "cat"],
  ...["fp", "sfp", "ign", "ign2", "yar", "yara", "pwdb", "cfg"],
] as const;
export type DefinitionsFormat = (typeof DEFINITIONS_FORMATS)[number];

export const formatOf = (name: string): DefinitionsFormat => name.split(".").at(-1) as DefinitionsFormat;

/** A file's name as the scanner will see it. The agent's own file in a set begins with `sallyport-`. */
export const DefinitionsName = z
  .string()
  .regex(
    new RegExp(`^(?!sallyport-)[A-Za-z0-9][A-Za-z0-9._-]{0,95}\\.(?:${DEFINITIONS_FORMATS.join("|")})$`),
    "a database's name as clamd knows it, such as daily.cvd or site.hdb",
  );

/** What was seen in it when it was taken. Claims of the file; what vouches for it is the policy that names its sha256. */
export const ArtifactFacts = z.object({
  rules: z.int().min(0).optional(),
  /** Files of an archive that became one rule set. */
  files: z.int().min(0).optional(),
  signatures: z.int().min(0).optional(),
  version: z.string().max(32).optional(),
  /** When its maker made it. */
  made: z.iso.datetime().optional(),
});
export type ArtifactFacts = z.infer<typeof ArtifactFacts>;

export const ArtifactRow = z.object({
  sha256: Sha256,
  kind: ArtifactKind,
  name: z.string().max(128),
  bytes: z.int().min(0),
  facts: ArtifactFacts,
  addedAt: z.iso.datetime(),
  addedBy: z.string().max(320),
  /** Groups whose policy, wanted now or to be gone back to, names it. */
  groups: z.array(z.string()),
});
export type ArtifactRow = z.infer<typeof ArtifactRow>;
