/** What shared needs of cryptography, as arguments: node:crypto in the agent, worker and CLI, WebCrypto in the browser. */

/** sha256 of the bytes, 32 bytes. */
export type Hash = (bytes: Uint8Array) => Uint8Array;
/** As `Hash`, where only a promise can be had (WebCrypto). */
export type HashLater = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
/** Ed25519 over the bytes, 64 bytes. */
export type Sign = (bytes: Uint8Array) => Uint8Array;
/** Whether `signature` over `bytes` is by the raw 32-byte Ed25519 `publicKey`. Never throws for bad input. */
export type Verify = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean;

export const HASH_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
