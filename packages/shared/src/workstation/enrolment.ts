/** How a machine becomes a workstation: one token, one request, one answer, over HTTPS pinned by the token. */
import { z } from "zod";
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../base/bytes.ts";
import { Sha256, WorkstationId } from "../base/ids.ts";
import { KeyText } from "../base/key.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { SignedStatement } from "../policy/statement.ts";
import { Signed } from "../trail/signed.ts";

/** `url` is the console's listener for agents (https), `ca` the sha256 of its CA certificate in DER, `secret` 32 random
 *  bytes in base64url. The console keeps only the secret's hash. */
export const EnrolToken = z.object({
  url: z.url({ protocol: /^https$/ }),
  ca: Sha256,
  secret: z.string().regex(/^[\w-]{43}$/),
});
export type EnrolToken = z.infer<typeof EnrolToken>;

const PREFIX = "sallyport1.";

/** One word to paste: `sallyport1.` and base64url of the token's JSON. */
export const printToken = (token: EnrolToken): string =>
  PREFIX +
  toBase64(toUtf8(JSON.stringify(token)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

/** What a person pasted, white space around it and all. The error is a sentence for that person. */
export function readToken(untrusted: string): Result<EnrolToken> {
  const text = untrusted.trim();
  const wrong =
    'This is no enrolment token: one begins with "sallyport1." and is copied whole from the console\'s Enrol page.';
  if (!text.startsWith(PREFIX) || text.length > 4096) return fail(wrong);
  const base64 = text.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/");
  try {
    const token = EnrolToken.safeParse(
      JSON.parse(fromUtf8(fromBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, "=")))),
    );
    return token.success ? ok(token.data) : fail(wrong);
  } catch {
    return fail(wrong);
  }
}

/** POST /enrol. `csr` is PEM (P-256, the TLS key). `proof` is `EnrolProof` signed by the trail's key. */
export const EnrolRequest = z.object({
  secret: z.string().max(64),
  csr: z.string().max(8192),
  trailKey: KeyText,
  hostname: z.string().min(1).max(253),
  agentVersion: z.string().max(64),
  proof: Signed,
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

/** Binds the two keys and this token together. `csr` and `secret` are sha256 of the PEM text and of the secret. */
export const EnrolProof = z.object({ csr: Sha256, secret: Sha256, trailKey: KeyText });
export type EnrolProof = z.infer<typeof EnrolProof>;

/** `consoleKeys` sign receipts and statements; `membership` names group and signers. `mqtt` is mqtts://host:port. */
export const EnrolAnswer = z.object({
  workstation: WorkstationId,
  certificate: z.string(),
  ca: z.string(),
  mqtt: z.url(),
  consoleKeys: z.array(KeyText).min(1).max(8),
  membership: SignedStatement,
});
export type EnrolAnswer = z.infer<typeof EnrolAnswer>;

/** POST /renew, answered even after expiry: `proof` is `RenewProof` signed by the trail's key. */
export const RenewRequest = z.object({ workstation: WorkstationId, csr: z.string().max(8192), proof: Signed });
export type RenewRequest = z.infer<typeof RenewRequest>;

/** `nonce` comes from GET /renew/nonce, works once and for a minute, so that a proof cannot be played again. */
export const RenewProof = z.object({ workstation: WorkstationId, csr: Sha256, nonce: z.string().max(64) });
export type RenewProof = z.infer<typeof RenewProof>;

export const RenewAnswer = z.object({ certificate: z.string(), ca: z.string() });
export type RenewAnswer = z.infer<typeof RenewAnswer>;

/** Every refusal of the listener: a sentence for the person at the keyboard. */
export const ListenerError = z.object({ error: z.string(), code: z.string() });
export type ListenerError = z.infer<typeof ListenerError>;
