/** Kinds that speak of the guest's volume; `disk.state` is in disk/state.ts. */
import { z } from "zod";
import { CommandId, Sha256 } from "../base/ids.ts";
import { VolumeUuid } from "../command/command.ts";
import { SealedRecovery } from "../disk/sealed.ts";

/** `disk.recovery`: a volume's recovery key, sealed to the organisation. All that a console ever has of it. */
export const DiskRecovery = z.object({ sealed: SealedRecovery });
export type DiskRecovery = z.infer<typeof DiskRecovery>;

const Part = z.object({
  what: z.string().max(256),
  outcome: z.enum(["gone", "absent", "failed"]),
  why: z.string().max(512).optional(),
});

/** `disk.wiped`: what was destroyed, and what of it can be shown. Hashes are over the whole header area, keys and all.
 *  `escrow` are the sealed recovery keys that whoever holds them must delete as well. */
export const DiskWiped = z.object({
  command: CommandId,
  volume: VolumeUuid,
  areaBytes: z.int().min(1),
  before: Sha256,
  after: Sha256.optional(),
  parts: z.array(Part).max(64),
  escrow: z.array(z.object({ volume: VolumeUuid, ciphertext: Sha256 })).max(64),
  /** Whether everything that was tried is gone. */
  whole: z.boolean(),
});
export type DiskWiped = z.infer<typeof DiskWiped>;
