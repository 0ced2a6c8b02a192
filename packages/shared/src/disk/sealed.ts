/** A volume's recovery key as it leaves dom0: sealed to the organisation's public key, which the console does not hold
 *  the other half of. What it belongs to is bound to it, so that one volume's never passes for another's. */
import { z } from "zod";
import { fromBase64, fromUtf8, toBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { KeyId, type Sha256, WorkstationId } from "../base/ids.ts";
import { KeyText } from "../base/key.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { VolumeUuid } from "../command/command.ts";
import { openWith, type Primitives, sealTo } from "./hpke.ts";

/** What is sealed is domain-separated like all that is signed; the number is the version of the format. */
const INFO = toUtf8("sallyport/recovery/1");
export const SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM";

/** 32 raw bytes of X25519 in base64. */
export const OrganisationKey = KeyText;

/** `to` names the key for people; the whole key is part of what is authenticated. `slot` is the header's. */
export const SealedRecovery = z.object({
  version: z.literal(1),
  suite: z.literal(SUITE),
  to: KeyId,
  workstation: WorkstationId,
  volume: VolumeUuid,
  slot: z.int().min(0).max(31),
  encapsulated: KeyText,
  ciphertext: z.base64().max(1024),
});
export type SealedRecovery = z.infer<typeof SealedRecovery>;

export type Belongs = Pick<SealedRecovery, "workstation" | "volume" | "slot">;

const messageOf = ({ workstation, volume, slot }: Belongs) => ({
  aead: "aes-256-gcm" as const,
  info: INFO,
  aad: canonicalBytes({ workstation, volume, slot }),
});

/** As `keyId`, over the raw X25519 key. */
export const organisationKeyId = (hash: Hash, publicKey: Uint8Array): KeyId =>
  toHex(hash(publicKey).slice(0, 4)) as KeyId;

/** Names what is sealed, for whom and for what: the key's mark in the volume's header carries it. */
export const sealedDigest = (hash: Hash, sealed: SealedRecovery): Sha256 =>
  toHex(hash(canonicalBytes(sealed))) as Sha256;

/** `ephemeral` is 32 fresh random bytes. @throws where the public key is none */
export function sealRecovery(
  hash: Hash,
  primitives: Primitives,
  publicKey: Uint8Array,
  ephemeral: Uint8Array,
  belongs: Belongs,
  recoveryKey: string,
): SealedRecovery {
  const { encapsulated, ciphertext } = sealTo(
    primitives,
    publicKey,
    ephemeral,
    messageOf(belongs),
    toUtf8(recoveryKey),
  );
  return {
    version: 1,
    suite: SUITE,
    to: organisationKeyId(hash, publicKey),
    ...belongs,
    encapsulated: toBase64(encapsulated),
    ciphertext: toBase64(ciphertext),
  };
}

/** `untrusted` is the body of a `disk.recovery` record's `sealed`; HPKE (RFC 9180), base mode. Never throws. */
export function unsealRecovery(
  hash: Hash,
  primitives: Primitives,
  privateKey: Uint8Array,
  untrusted: unknown,
): Result<{ recoveryKey: string; sealed: SealedRecovery }> {
  const read = SealedRecovery.safeParse(untrusted);
  if (!read.success) return fail(z.prettifyError(read.error));
  const sealed = read.data;
  const own = organisationKeyId(hash, primitives.publicOf(privateKey));
  if (own !== sealed.to) return fail(`it is sealed to key ${sealed.to}, and this is key ${own}`);
  try {
    const encapsulated = fromBase64(sealed.encapsulated);
    const ciphertext = fromBase64(sealed.ciphertext);
    const plain = openWith(primitives, privateKey, encapsulated, messageOf(sealed), ciphertext);
    return plain
      ? ok({ recoveryKey: fromUtf8(plain), sealed })
      : fail("it does not open: it was changed, or it belongs to another volume than it says");
  } catch (error) {
    return fail((error as Error).message);
  }
}
