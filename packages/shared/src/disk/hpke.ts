/** Hybrid public key encryption, RFC 9180, base mode, one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-GCM.
 *  The primitives are arguments. Checked against the RFC's own vectors (appendix A.1). */
import { concat, toUtf8 } from "../base/bytes.ts";

export type Primitives = {
  /** HMAC-SHA256, 32 bytes. */
  hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** 32 raw bytes each. @throws where the shared secret would be nothing (a point of small order) */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
  publicOf(privateKey: Uint8Array): Uint8Array;
  /** AES-GCM by the key's length, the 16-byte tag behind the text. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Nothing where the tag does not fit. */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
};

/** RFC 9180, table 5: the number of the AEAD and its key's length. */
const AEADS = { "aes-128-gcm": { id: 0x0001, keyBytes: 16 }, "aes-256-gcm": { id: 0x0002, keyBytes: 32 } } as const;
export type Aead = keyof typeof AEADS;

const NONCE_BYTES = 12;
const HASH_BYTES = 32;
const NONE = new Uint8Array(0);
const two = (number: number): Uint8Array => Uint8Array.of(number >> 8, number & 0xff);
const KEM_SUITE = concat(toUtf8("KEM"), two(0x0020));
const suiteOf = (aead: Aead): Uint8Array => concat(toUtf8("HPKE"), two(0x0020), two(0x0001), two(AEADS[aead].id));

type Hkdf = { extract(salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array } & {
  expand(prk: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array;
};

/** Section 4: extract and expand with the suite's name and a label in what goes in. */
function labelled({ hmac }: Primitives, suite: Uint8Array): Hkdf {
  return {
    extract: (salt, label, ikm) =>
      hmac(salt.length === 0 ? new Uint8Array(HASH_BYTES) : salt, concat(toUtf8("HPKE-v1"), suite, toUtf8(label), ikm)),
    expand(prk, label, context, length) {
      const about = concat(two(length), toUtf8("HPKE-v1"), suite, toUtf8(label), context);
      let block: Uint8Array = NONE;
      let out: Uint8Array = NONE;
      // 32 bytes a round, and no key is longer
      for (let round = 1; out.length < length; round++) {
        block = hmac(prk, concat(block, about, Uint8Array.of(round)));
        out = concat(out, block);
      }
      return out.slice(0, length);
    },
  };
}

function keyOf(
  primitives: Primitives,
  aead: Aead,
  dh: Uint8Array,
  encapsulated: Uint8Array,
  to: Uint8Array,
  info: Uint8Array,
) {
  const kem = labelled(primitives, KEM_SUITE);
  const shared = kem.expand(kem.extract(NONE, "eae_prk", dh), "shared_secret", concat(encapsulated, to), HASH_BYTES);
  const hkdf = labelled(primitives, suiteOf(aead));
  const context = concat(
    Uint8Array.of(0),
    hkdf.extract(NONE, "psk_id_hash", NONE),
    hkdf.extract(NONE, "info_hash", info),
  );
  const secret = hkdf.extract(shared, "secret", NONE);
  return {
    key: hkdf.expand(secret, "key", context, AEADS[aead].keyBytes),
    nonce: hkdf.expand(secret, "base_nonce", context, NONCE_BYTES),
  };
}

export type Message = { aead: Aead; info: Uint8Array; aad: Uint8Array };

/** `ephemeral` is 32 fresh random bytes, used once. */
export function sealTo(
  primitives: Primitives,
  to: Uint8Array,
  ephemeral: Uint8Array,
  { aead, info, aad }: Message,
  plain: Uint8Array,
): { encapsulated: Uint8Array; ciphertext: Uint8Array } {
  const encapsulated = primitives.publicOf(ephemeral);
  const { key, nonce } = keyOf(primitives, aead, primitives.x25519(ephemeral, to), encapsulated, to, info);
  return { encapsulated, ciphertext: primitives.seal(key, nonce, aad, plain) };
}

/** Nothing where it was not sealed to this key, with this `info` and `aad`. */
export function openWith(
  primitives: Primitives,
  privateKey: Uint8Array,
  encapsulated: Uint8Array,
  { aead, info, aad }: Message,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  try {
    const dh = primitives.x25519(privateKey, encapsulated);
    const { key, nonce } = keyOf(primitives, aead, dh, encapsulated, primitives.publicOf(privateKey), info);
    return primitives.open(key, nonce, aad, ciphertext);
  } catch {
    return undefined;
  }
}
