/** A target at rest: AES-256-GCM under a key derived from the console's session secret, as second factors are under that
 *  secret, bound to the destination that it is of. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { type Given, Target } from "./destination.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SECRET_BYTES = 32;

export type Seal = {
  seal(destination: string, target: Target): Buffer;
  /** @throws a sentence where another secret sealed it, or somebody changed it */
  open(destination: string, sealed: Uint8Array): Target;
};

export function sealWith(sessionSecret: string): Seal {
  const key = Buffer.from(hkdfSync("sha256", sessionSecret, "", "sallyport/destination/1", 32));
  return {
    seal(destination, target) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(destination));
      const text = Buffer.concat([cipher.update(JSON.stringify(target), "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(destination, sealed) {
      try {
        const tagEnd = NONCE_BYTES + TAG_BYTES;
        const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(Buffer.from(destination)).setAuthTag(sealed.subarray(NONCE_BYTES, tagEnd));
        const text = Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()]).toString();
        return Target.parse(JSON.parse(text));
      } catch (cause) {
        throw new Error(
          "Where it goes cannot be opened with this console's session secret: give it anew (Change where it goes).",
          { cause },
        );
      }
    },
  };
}

/** What is kept of what was given: a webhook gets a new secret to sign with. */
export function targetOf(given: Given): Target {
  if (given.kind === "syslog") return given;
  return { ...given, secret: `whsec_${randomBytes(SECRET_BYTES).toString("base64")}` };
}
