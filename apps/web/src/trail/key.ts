/** The console's key: signs statements, receipts and its own trail. Read from a file, never written here. */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Signer } from "@sallyport/shared/trail/signed.ts";

export type ConsoleKey = Signer;

const RAW_KEY_BYTES = 32;

export function readConsoleKey(file: string): ConsoleKey {
  const key = createPrivateKey(readFileSync(file));
  if (key.asymmetricKeyType !== "ed25519")
    throw new Error(`${file} is no Ed25519 key; the console cannot sign with it.`);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(spki.subarray(spki.length - RAW_KEY_BYTES)),
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
  };
}
