/** A person in dom0 → a recovery key of an encrypted volume: its first, the next after one was used, one for another key
 *  of the organisation. It is sealed and kept as that before it opens anything; nobody reads it in the clear on this
 *  machine, and the one before it ends only when what was sealed is on the trail. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Header } from "@sallyport/shared/disk/header.ts";
import type { Primitives } from "@sallyport/shared/disk/hpke.ts";
import { RECOVERY_TOKEN } from "@sallyport/shared/disk/recovery.ts";
import {
  type Belongs,
  organisationKeyId,
  type SealedRecovery,
  sealedDigest,
  sealRecovery,
} from "@sallyport/shared/disk/sealed.ts";
import type { Disk } from "../dom0/disk.ts";
import { DoorError } from "../dom0/dom0.ts";

export type RecoveryParts = {
  disk: Disk;
  hash: Hash;
  hpke: Primitives;
  random: (bytes: number) => Uint8Array;
  /** On disk when it returns. */
  keepSealed: (sealed: SealedRecovery) => void;
};
export type Renewal = RecoveryParts & {
  /** What was sealed for this volume and lies on this machine. */
  kept: (volume: string) => Promise<SealedRecovery[]>;
  /** Whether its record is on the trail by now; waits for it as long as the person does. */
  reachesTrail: (sealed: SealedRecovery) => Promise<boolean>;
  /** What was sealed for a key that is no more. */
  forget: (sealed: SealedRecovery) => Promise<void>;
};
export type Wanted = {
  device: string;
  /** A pass phrase that opens it, or the recovery key that was used. */
  key: Uint8Array;
  workstation: WorkstationId;
  /** The organisation's public key, base64. */
  recoveryTo: string;
};
/** `ended`: slots whose keys are gone. `left`: those that still open it until this is run again. `unmarked`: keys for which
 *  something was sealed, and which no mark calls a recovery key: left by a run that was ended between the two. */
export type Renewed = {
  volume: string;
  slot: number;
  sealed: SealedRecovery;
  ended: number[];
  left: number[];
  unmarked: number[];
};

const RECOVERY_BYTES = 32;
const SLOTS = 32;

/** The key is in the slot, marked, and tried. @throws DoorError where a program refuses; what was sealed then stays kept */
export async function addRecovery(
  { disk, hash, hpke, random, keepSealed }: RecoveryParts,
  { device, key, recoveryTo }: Pick<Wanted, "device" | "key" | "recoveryTo">,
  belongs: Belongs,
  instead: readonly number[] = [],
): Promise<{ sealed: SealedRecovery; clear: Uint8Array }> {
  const { slot } = belongs;
  const recoveryKey = printRecoveryKey(random(RECOVERY_BYTES));
  const sealed = sealRecovery(hash, hpke, fromBase64(recoveryTo), random(32), belongs, recoveryKey);
  keepSealed(sealed);
  const clear = new TextEncoder().encode(recoveryKey);
  await disk.addKey(device, key, clear, slot);
  const made = (await headerOf(disk, device)).header.slots.find((each) => each.slot === slot);
  if (!made) throw new DoorError(`${device} has no key in slot ${slot} after one was added`);
  const mark = { sealed: sealedDigest(hash, sealed), key: made.id, to: sealed.to, instead };
  await disk.addToken(device, { type: RECOVERY_TOKEN, keyslots: [String(slot)], ...mark });
  if (!(await disk.opens(device, clear, slot)))
    throw new DoorError(`${device} does not open with the recovery key that was made for it; do not rely on it.`);
  return { sealed, clear };
}

/** Run again after it was ended at any point, it goes on: nothing is made twice that is there, and no key ends before the
 *  one that takes its place is on the trail. @throws DoorError where nothing was changed, or a program refuses */
export async function renewRecovery(parts: Renewal, wanted: Wanted): Promise<Renewed> {
  const { disk, hash } = parts;
  const { device, key, workstation, recoveryTo } = wanted;
  const { volume, header } = await headerOf(disk, device);
  if (header.amiss.length > 0)
    throw new DoorError(`${device} is given no key while ${header.amiss.join("; ")}. Nothing was changed.`);
  if (!(await disk.opens(device, key)))
    throw new DoorError(`What was given opens no key of ${device}. Nothing was changed.`);
  const kept = await parts.kept(volume);
  const to = organisationKeyId(hash, fromBase64(recoveryTo));
  const begun = unfinished(parts, header, kept).find(({ sealed }) => sealed.to === to);
  const old = begun?.old ?? marked(header);
  const made =
    begun ?? (await addRecovery(parts, wanted, { workstation, volume, slot: freeSlot(header, device) }, old));
  const { sealed } = made;
  const [ended, left]: number[][] = [[], []];
  const isOnTrail = old.length === 0 || (await parts.reachesTrail(sealed));
  for (const slot of old) {
    if (!isOnTrail) {
      left?.push(slot);
      continue;
    }
    // the key that is ended may be the one that was given: then it is the new one that says so
    await disk.removeKey(device, slot, "clear" in made ? made.clear : key);
    ended?.push(slot);
    for (const each of kept.filter((one) => one.slot === slot)) await parts.forget(each);
  }
  const after = (await headerOf(disk, device)).header;
  for (const { id, type, slots } of after.tokens)
    if (type === RECOVERY_TOKEN && slots.length === 0) await disk.removeToken(device, id);
  const marks = new Set(after.tokens.flatMap(({ slots }) => slots));
  const unmarked = kept.map((each) => each.slot).filter((slot) => after.taken.includes(slot) && !marks.has(slot));
  return { volume, slot: sealed.slot, sealed, ended: ended ?? [], left: left ?? [], unmarked };
}

/** Keys that are ours to end: marked by us, and still the ones that were marked; of an older mark nobody can tell. */
const marked = ({ tokens, slots }: Header): number[] =>
  tokens
    .filter(({ type }) => type === RECOVERY_TOKEN)
    .flatMap((token) =>
      slots
        .filter(({ slot, id }) => token.slots.includes(slot) && (!token.mark || token.mark.key === id))
        .map(({ slot }) => slot),
    );

/** A renewal that made its key and was ended before it ended the old ones. */
function unfinished(
  { hash }: Pick<Renewal, "hash">,
  header: Header,
  kept: readonly SealedRecovery[],
): { sealed: SealedRecovery; old: number[] }[] {
  const ours = marked(header);
  return header.tokens.flatMap(({ mark, slots }) => {
    const old = mark?.instead.filter((slot) => ours.includes(slot)) ?? [];
    const sealed = kept.find((each) => mark?.sealed === sealedDigest(hash, each));
    const isThere = sealed && slots.includes(sealed.slot) && ours.includes(sealed.slot);
    return isThere && old.length > 0 ? [{ sealed, old }] : [];
  });
}

/** The pass phrase is slot 0, and stays alone in it. @throws DoorError where every slot is taken */
function freeSlot({ taken }: Header, device: string): number {
  const free = [...Array(SLOTS).keys()].find((slot) => slot > 0 && !taken.includes(slot));
  if (free === undefined)
    throw new DoorError(`Every key slot of ${device} is taken. End one that nobody needs: cryptsetup luksKillSlot.`);
  return free;
}

/** @throws DoorError where it is no LUKS2 volume */
export async function headerOf(disk: Disk, device: string): Promise<{ volume: string; header: Header }> {
  const found = await disk.look(device);
  if (found.is !== "luks2")
    throw new DoorError(`${device} is no LUKS2 volume: ${found.is === "other" ? found.what : found.is}.`);
  return { volume: found.uuid, header: found.header };
}

/** 256 bits as eight groups of hex digits: read aloud, typed at a boot screen in any keyboard layout's digits and a to f. */
export const printRecoveryKey = (bytes: Uint8Array): string =>
  (Buffer.from(bytes).toString("hex").match(/.{8}/g) ?? []).join("-");
