/** A raw public key (Ed25519 or X25519, 32 bytes) as text: standard base64 with padding, in its one spelling, so that
 *  what a schema let through decodes everywhere after it. */
import { z } from "zod";
import { fromBase64 } from "./bytes.ts";
import { PUBLIC_KEY_BYTES } from "./crypto.ts";

const isKey = (text: string): boolean => {
  try {
    return fromBase64(text).length === PUBLIC_KEY_BYTES;
  } catch {
    return false;
  }
};

export const KeyText = z.base64().length(44).refine(isKey, `a key is ${PUBLIC_KEY_BYTES} bytes in base64`);
