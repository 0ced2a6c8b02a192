/** node:crypto in the shapes that shared/disk/hpke.ts asks for, to open what a workstation sealed. */
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

const TAG_BYTES = 16;
const url = (raw: Uint8Array): string => Buffer.from(raw).toString("base64url");
/** DER before a raw X25519 private key (RFC 8410): a JWK would want the public half as well. */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const privateOf = (raw: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([PKCS8, raw]),
    format: "der",
    type: "pkcs8",
  });
const publicOf = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: { kty: "OKP", crv: "X25519", x: url(raw) }, format: "jwk" });
const cipherOf = (key: Uint8Array) => `aes-${key.length * 8}-gcm` as "aes-256-gcm";

export const rawPublic = (key: KeyObject): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from((key.export({ format: "jwk" }) as { x: string }).x, "base64url"));

export const hpke: Primitives = {
  hmac: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
  x25519: (own, theirs) => diffieHellman({ privateKey: privateOf(own), publicKey: publicOf(theirs) }),
  publicOf: (own) => rawPublic(createPublicKey(privateOf(own))),
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
