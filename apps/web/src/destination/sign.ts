/** Standard Webhooks 1.0: what proves to a receiver that a message is this console's, and of now. Pure. */
import { createHmac } from "node:crypto";

/** @param secret `whsec_` and base64 */
export function signed(secret: string, id: string, seconds: number, body: string): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${mac}` };
}
