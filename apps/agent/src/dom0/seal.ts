/** node:crypto in the shapes that shared/disk/hpke.ts asks for. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import type { Primitives } from "@sallyport/shared/disk/hpke.ts";

/** DER before raw X25519 keys (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI = Buffer.from("302a300506032b656e032100", "hex");
const TAG_BYTES = 16;

const privateOf = (raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: "der", type: "pkcs8" });
const publicOf = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
const cipherOf = (key: Uint8Array) => `aes-${key.length * 8}-gcm` as "aes-256-gcm";

export const hpke: Primitives = {
  hmac: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
  x25519: (own, theirs) => diffieHellman({ privateKey: privateOf(own), publicKey: publicOf(theirs) }),
  publicOf: (own) =>
    new Uint8Array(createPublicKey(privateOf(own)).export({ format: "der", type: "spki" }).subarray(-32)),
  seal(key, nonce, aad, plain) {
    const cipher = createCipheriv(cipherOf(key), key, nonce).setAAD(aad);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, nonce, aad, sealed) {
    if (sealed.length < TAG_BYTES) return undefined;
    const decipher = createDecipheriv(cipherOf(key), key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(aad)
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
    } catch {
      return undefined;
    }
  },
};
