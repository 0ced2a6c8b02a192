/** node:crypto in the shapes that shared asks for. */
import { createPrivateKey, createPublicKey, hash as digest, type KeyObject, sign, verify } from "node:crypto";
import { HASH_BYTES, type Hash, type Sign, type Verify } from "@sallyport/shared/base/crypto.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";

/** As text and into a small buffer from Node's pool: a third of the time of "buffer", whose every digest is a memory
 *  block of its own. */
export const sha256: Hash = (bytes) => {
  const out = Buffer.allocUnsafe(HASH_BYTES);
  out.write(digest("sha256", bytes, "binary"), 0, HASH_BYTES, "latin1");
  return out;
};

/** DER before a raw Ed25519 public key (RFC 8410). */
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Keys are few: the console's, and a group's approvers. */
const KEYS_MAX = 64;
const keys = new Map<string, KeyObject>();

export const ed25519Verify: Verify = (publicKey, bytes, signature) => {
  try {
    const name = Buffer.from(publicKey).toString("hex");
    let key = keys.get(name);
    if (!key) {
      key = createPublicKey({ key: Buffer.concat([ED25519_SPKI, publicKey]), format: "der", type: "spki" });
      if (keys.size >= KEYS_MAX) keys.clear();
      keys.set(name, key);
    }
    return verify(null, bytes, key, signature);
  } catch {
    return false;
  }
};

/** @throws where the PEM is no Ed25519 private key */
export function ed25519Signer(pem: string): Signer {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== "ed25519") throw new TypeError(`a key of type ${key.asymmetricKeyType}, not ed25519`);
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  const signing: Sign = (bytes) => sign(null, bytes, key);
  return { publicKey: new Uint8Array(publicKey), sign: signing };
}
