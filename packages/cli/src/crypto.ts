/** node:crypto in the shape shared asks for. */
import { createPublicKey, hash as digest, verify as verifyOnce } from "node:crypto";
import type { Hash, Verify } from "@sallyport/shared/base/crypto.ts";

export const hash: Hash = (bytes) => digest("sha256", bytes, "buffer");

export const verify: Verify = (publicKey, bytes, signature) => {
  try {
    const x = Buffer.from(publicKey).toString("base64url");
    return verifyOnce(
      null,
      bytes,
      createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }),
      signature,
    );
  } catch {
    return false; // no point on the curve
  }
};
