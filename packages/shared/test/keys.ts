/** node:crypto in the shapes that shared asks for, and Ed25519 keys, for tests. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify as verifyNode,
} from "node:crypto";
import { concat, fromHex } from "../src/base/bytes.ts";
import type { Hash, Verify } from "../src/base/crypto.ts";
import type { Signer } from "../src/trail/signed.ts";

export const hash: Hash = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());

/** DER before a raw Ed25519 public key (RFC 8410). */
const SPKI = fromHex("302a300506032b6570032100");

export const verify: Verify = (publicKey, bytes, signature) => {
  const key = createPublicKey({ key: Buffer.from(concat(SPKI, publicKey)), format: "der", type: "spki" });
  return verifyNode(null, bytes, key, signature);
};

/** `pem` is PKCS #8, Ed25519. */
export const signerOf = (pem: string): Signer => ofKey(createPrivateKey(pem));
export const newSigner = (): Signer => ofKey(generateKeyPairSync("ed25519").privateKey);

function ofKey(key: KeyObject): Signer {
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI.length);
  return { publicKey: new Uint8Array(publicKey), sign: (bytes) => new Uint8Array(sign(null, bytes, key)) };
}
