/** The console's key file → what shared signs with. */
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";

export const hash: Hash = (bytes) => createHash("sha256").update(bytes).digest();

export function readSigner(file: string): Signer {
  const key = createPrivateKey(readFileSync(file));
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return { publicKey: Buffer.from(x!, "base64url"), sign: (bytes) => sign(null, bytes, key) };
}
