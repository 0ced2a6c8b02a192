/** A key of its own for who signs in a test: the console, or a person who approves. */
import { generateKeyPairSync, sign } from "node:crypto";
import type { Signer } from "@sallyport/shared/trail/signed.ts";

export function newSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicKey: new Uint8Array(publicKey.export({ format: "der", type: "spki" }).subarray(-32)),
    sign: (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
  };
}
