/** A person in dom0 → a new encrypted volume. Its recovery key is made here, sealed to the organisation and kept as that
 *  before it opens anything; nobody reads it in the clear on this machine. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Primitives } from "@sallyport/shared/disk/hpke.ts";
import { type SealedRecovery, sealRecovery } from "@sallyport/shared/disk/sealed.ts";
import { RECOVERY_TOKEN } from "@sallyport/shared/disk/state.ts";
import type { Disk } from "../dom0/disk.ts";
import { DoorError } from "../dom0/dom0.ts";

export type ProvisionParts = {
  disk: Disk;
  hash: Hash;
  hpke: Primitives;
  random: (bytes: number) => Uint8Array;
  /** On disk when it returns. */
  keepSealed: (sealed: SealedRecovery) => void;
};
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
const RECOVERY_BYTES = 32;
/** Less is no pass phrase but a slip of the hand. */
const KEY_BYTES_MIN = 8;
const KEY_BYTES_MAX = 512;
/** The header alone takes 16 MiB. */
const VOLUME_BYTES_MIN = 32 * 1024 * 1024;

/** @throws DoorError where the device carries anything, or a program refuses; a header that was made then stays, unopened */
export async function provision(parts: ProvisionParts, wanted: Provision): Promise<Provisioned> {
  const { disk, hash, hpke, random, keepSealed } = parts;
  const { device, key, workstation, recoveryTo } = wanted;
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX)
    throw new DoorError(`The pass phrase has ${key.length} bytes; it must have ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX}.`);
  await makeRoom(disk, device, wanted.bytes);
  await disk.format(device, key);
  const made = await disk.look(device);
  if (made.is !== "luks2") throw new DoorError(`${device} is not LUKS2 after it was formatted: ${made.is}`);
  const recoveryKey = printRecoveryKey(random(RECOVERY_BYTES));
  const belongs = { workstation, volume: made.uuid, slot: RECOVERY_SLOT };
  const sealed = sealRecovery(hash, hpke, fromBase64(recoveryTo), random(32), belongs, recoveryKey);
  keepSealed(sealed);
  const clear = new TextEncoder().encode(recoveryKey);
  await disk.addKey(device, key, clear, RECOVERY_SLOT);
  await disk.addToken(device, { type: RECOVERY_TOKEN, keyslots: [String(RECOVERY_SLOT)] });
  if (!(await disk.opens(device, clear, RECOVERY_SLOT)) || !(await disk.opens(device, key, 0)))
    throw new DoorError(`${device} does not open with what it was made with; do not use it.`);
  return { volume: made.uuid, sealed };
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
      throw new DoorError(`${device} carries a LUKS2 volume already (${found.uuid}). Nothing was changed.`);
    case "other":
      throw new DoorError(
        `${device} carries something: ${found.what}. Nothing was changed. Only a device whose beginning is all zeros is taken; to give up what is on it, run "blkdiscard --zeroout ${device}" by hand.`,
      );
  }
}

/** 256 bits as eight groups of hex digits: read aloud, typed at a boot screen in any keyboard layout's digits and a to f. */
export const printRecoveryKey = (bytes: Uint8Array): string =>
  (Buffer.from(bytes).toString("hex").match(/.{8}/g) ?? []).join("-");
