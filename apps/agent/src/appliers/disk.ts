/** policy → disk applier → the guest's volume. It looks and says; it never encrypts, changes or unlocks one: that takes a
 *  person (disk-provision.ts) or an order (command/wipe.ts). */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { type Escrow, RECOVERY_KEYS_MAX, recoveryKeys } from "@sallyport/shared/disk/recovery.ts";
import { DiskState, diskFaults, diskWords, HEADER_COPIES_MAX } from "@sallyport/shared/disk/state.ts";
import { sha256 } from "../dom0/crypto.ts";
import type { Disk } from "../dom0/disk.ts";
import type { Applier } from "./applier.ts";

/** `mapping` is the name it has while it is open. `copies` are backups of its header that dom0 holds. */
export type VolumePlace = { device: string; mapping?: string; copies: readonly string[] };

/** Where no volume is named there is nothing to look at. */
export const unknownVolume = (): Applier<"disk"> => ({
  section: "disk",
  inspect: async () => null,
  judge: () => ({
    outcome: "not-applied",
    reason:
      "No volume is named in the agent's configuration, so none is looked at. Name it under disk.volume (docs/disk.md).",
  }),
  apply: async () => {},
});

export const diskApplier = (look: () => Promise<DiskState>): Applier<"disk"> => ({
  section: "disk",
  inspect: async () => (await look()) as unknown as Json,
  judge(wanted, untrustedFound) {
    const found = DiskState.parse(untrustedFound);
    const faults = diskFaults(sha256, wanted, found);
    const shown = found as unknown as Json;
    if (faults.length > 0 && wanted.mode === "enforce")
      return {
        outcome: "failed",
        reason: `The volume is not as policy wants: ${faults.join("; ")}.`.slice(0, 1024),
        found: shown,
      };
    return {
      outcome: wanted.mode === "audit" ? "audit" : "applied",
      reason: (faults.length > 0 ? faults.join("; ") : diskWords(found)).slice(0, 1024),
      found: shown,
    };
  },
  apply: async () => {},
});

/** What dom0 finds of the volume now. @throws never: what cannot be read is part of the answer */
export async function lookAtVolume(
  disk: Disk,
  { device, mapping, copies }: VolumePlace,
  escrow?: () => Promise<Escrow>,
): Promise<DiskState> {
  const tpm = (await disk.hasTpm().catch(() => false)) ? "present" : "absent";
  const beyond = (await Promise.all(copies.map((path) => faultOfCopy(disk, path)))).flat();
  const state = (content: DiskState["content"]): DiskState => ({
    ...{ volume: device, tpm, content },
    ...(beyond.length > 0 && { beyond: beyond.slice(0, HEADER_COPIES_MAX) }),
  });
  try {
    const looked = await disk.look(device);
    switch (looked.is) {
      case "absent":
        return state({ is: "absent" });
      case "blank":
        return state({ is: "other", what: "nothing is on it" });
      case "other":
        return state({ is: "other", what: looked.what.slice(0, 256) });
      case "luks2": {
        const { cipher, sectorBytes, integrity, slots, tokens, headerBytes, amiss } = looked.header;
        // a header can be told where nobody can tell that; a wipe is stricter
        const open = await isOpen(disk, looked.uuid, mapping).catch(() => undefined);
        return state({
          is: "luks2",
          uuid: looked.uuid,
          cipher,
          sectorBytes,
          ...(integrity !== undefined && { integrity }),
          slots: slots.map(({ slot, kdf, keyBits }) => ({ slot, kdf, keyBits })),
          tokens: tokens.map(({ type, slots: of, tpm2 }) => ({ type, slots: of, ...(tpm2 && { tpm2 }) })),
          ...(escrow && {
            recovery: recoveryKeys(looked.uuid, looked.header, await escrow()).slice(0, RECOVERY_KEYS_MAX),
          }),
          ...(amiss.length > 0 && { amiss }),
          header: await disk.hash(device, headerBytes),
          ...(open !== undefined && { open }),
        });
      }
    }
  } catch (error) {
    return state({ is: "unreadable", why: (error as Error).message.toWellFormed().slice(0, 512) });
  }
}

/** Under whatever name; nothing where there is no device-mapper. @throws DoorError where nobody can tell */
async function isOpen(disk: Disk, volume: string, mapping: string | undefined): Promise<boolean | undefined> {
  const held = await disk.holders(volume);
  return held && (held.length > 0 || (mapping !== undefined && (await disk.isOpen(mapping)) === true));
}

/** Such a copy would outlive a wipe, and look absent to it. */
async function faultOfCopy(disk: Disk, path: string): Promise<string[]> {
  const why = await disk.faultOfReach(path).catch((error: Error) => error.message);
  return why === undefined ? [] : [`${path}: ${why}`.toWellFormed().slice(0, 512)];
}
