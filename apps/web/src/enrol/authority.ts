/** What a token pins: the console's CA, by the sha256 of its certificate in DER. */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import type { Env } from "../env.ts";

export function caFingerprint(env: Env): Sha256 {
  const certificate = new X509Certificate(readFileSync(join(env.SALLYPORT_STATE, "keys", "ca.crt")));
  return createHash("sha256").update(certificate.raw).digest("hex") as Sha256;
}

/** Where agents reach the listener: as configured, else on the host by which this person reached the console. */
export function listenerUrl(env: Env, host: string): string {
  if (env.SALLYPORT_LISTEN_URL) return env.SALLYPORT_LISTEN_URL;
  const name = new URL(`http://${host}`).hostname;
  return `https://${name}:${env.SALLYPORT_LISTEN_PORT}`;
}
