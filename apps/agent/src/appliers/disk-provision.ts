/** A person in dom0 → a new encrypted volume. Its recovery key is made here, sealed to the organisation and kept as that
 *  before it opens anything; nobody reads it in the clear on this machine. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { SealedRecovery } from "@sallyport/shared/disk/sealed.ts";
import type { Disk } from "../dom0/disk.ts";
import { DoorError } from "../dom0/dom0.ts";
import { addRecovery, headerOf, type RecoveryParts } from "./disk-recovery.ts";

export type Provision = {
  device: string;
  /** For a file that is not there yet. */
  bytes?: number;
  key: Uint8Array;
  workstation: WorkstationId;
  /** The organisation's public key, base64. */
  recoveryTo: string;
};
export type Provisioned = { volume: string; sealed: SealedRecovery };

/** The pass phrase is slot 0. */
const RECOVERY_SLOT = 1;
/** Less is no pass phrase but a slip of the hand. */
const KEY_BYTES_MIN = 8;
const KEY_BYTES_MAX = 512;
/** The header alone takes 16 MiB. */
const VOLUME_BYTES_MIN = 32 * 1024 * 1024;

/** @throws DoorError where the device carries anything, or a program refuses; a header that was made then stays, and is
 *  given its recovery key by disk-recovery.ts */
export async function provision(parts: RecoveryParts, wanted: Provision): Promise<Provisioned> {
  const { disk } = parts;
  const { device, key, workstation } = wanted;
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX)
    throw new DoorError(`The pass phrase has ${key.length} bytes; it must have ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX}.`);
  await makeRoom(disk, device, wanted.bytes);
  await disk.format(device, key);
  const { volume } = await headerOf(disk, device);
  const { sealed } = await addRecovery(parts, wanted, { workstation, volume, slot: RECOVERY_SLOT });
  if (!(await disk.opens(device, key, 0)))
    throw new DoorError(`${device} does not open with what it was made with; do not use it.`);
  return { volume, sealed };
}

async function makeRoom(disk: Disk, device: string, bytes: number | undefined): Promise<void> {
  const found = await disk.look(device);
  switch (found.is) {
    case "blank":
      return;
    case "absent":
      if (bytes === undefined)
        throw new DoorError(`There is no ${device}. Give a size to make a file of it, or name a device that is there.`);
      if (bytes < VOLUME_BYTES_MIN)
        throw new DoorError(`A volume has at least ${VOLUME_BYTES_MIN} bytes; ${bytes} were asked for.`);
      return disk.create(device, bytes);
    case "luks2":
      throw new DoorError(
        `${device} carries a LUKS2 volume already (${found.uuid}). Nothing was changed. One that has no recovery key is given one by "sallyport-agent disk recovery".`,
      );
    case "other":
      throw new DoorError(
        `${device} carries something: ${found.what}. Nothing was changed. Only a device whose beginning is all zeros is taken; to give up what is on it, run "blkdiscard --zeroout ${device}" by hand.`,
      );
  }
}
