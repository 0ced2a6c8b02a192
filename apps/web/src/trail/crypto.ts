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
import { HASH_BYTES, type Hash, PUBLIC_KEY_BYTES, type Verify } from "@sallyport/shared/base/crypto.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { Compress, Decompress } from "@sallyport/shared/wire/batch.ts";

/** As text and into a small buffer from Node's pool: three times as fast as "buffer", whose every digest is a memory
 *  block of its own for the collector to follow. */
export const hash: Hash = (bytes) => {
  const out = Buffer.allocUnsafe(HASH_BYTES);
  out.write(digest("sha256", bytes, "binary"), 0, HASH_BYTES, "latin1");
  return out;
};

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

/** A usual batch unpacks into one piece: nothing to join, nothing to copy. */
const UNPACK_CHUNK_BYTES = 512 * 1024;

export const compress: Compress = (bytes) => zstdCompressSync(bytes);
export const decompress: Decompress = (bytes, bytesMax) =>
  zstdDecompressSync(bytes, { maxOutputLength: bytesMax, chunkSize: UNPACK_CHUNK_BYTES });
