/** node:crypto and node:zlib in the shape the contracts ask for. */
import {
  createPrivateKey,
  createPublicKey,
  hash as digest,
  type KeyObject,
  sign,
  verify as verifyOnce,
} from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Hash, PUBLIC_KEY_BYTES, type Verify } from "@sallyport/shared/base/crypto.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { Compress, Decompress } from "@sallyport/shared/wire/batch.ts";

export const hash: Hash = (bytes) => digest("sha256", bytes, "buffer");

/** One key object a workstation; a fleet beyond this parses keys again. */
const KEYS_MAX = 4_096;
const keys = new Map<string, KeyObject>();

export const verify: Verify = (publicKey, bytes, signature) => {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  try {
    return verifyOnce(null, bytes, keyObject(publicKey), signature);
  } catch {
    return false; // no point on the curve, or a signature of a wrong length
  }
};

function keyObject(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString("base64url");
  let key = keys.get(x);
  if (!key) {
    key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(x, key);
  }
  return key;
}

/** `pem` is PKCS #8, Ed25519. */
export function readSigner(pem: string | Buffer): Signer {
  const key = createPrivateKey(pem);
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (key.asymmetricKeyType !== "ed25519" || !x)
    throw new Error("The console's key is not an Ed25519 key (docs/keys.md).");
  return { publicKey: Buffer.from(x, "base64url"), sign: (bytes) => sign(null, bytes, key) };
}

export const compress: Compress = (bytes) => zstdCompressSync(bytes);
export const decompress: Decompress = (bytes, bytesMax) => zstdDecompressSync(bytes, { maxOutputLength: bytesMax });
