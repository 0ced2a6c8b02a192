/** A signature over a text under a domain prefix of its own, so that no signed thing passes for another. What is
 *  signed is the very text that travels: an older reader checks it before it drops the members it does not know. */
import { z } from "zod";
import { fromBase64, toBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import { type Hash, SIGNATURE_BYTES, type Sign, type Verify } from "../base/crypto.ts";
import { KeyId } from "../base/ids.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";

/** Append-only; the number is the version of what is signed. */
export const DOMAINS = [
  "sallyport/receipt/1",
  "sallyport/statement/1",
  "sallyport/reported/1",
  "sallyport/enrolment/1",
  "sallyport/renewal/1",
  "sallyport/loss/1",
] as const;
export type Domain = (typeof DOMAINS)[number];

export const Signature = z.object({ key: KeyId, signature: z.base64().max(100) });
export type Signature = z.infer<typeof Signature>;

export const SIGNED_CHARS_MAX = 1024 * 1024;

/** Text that a signature or a digest is over. A lone surrogate has no bytes of its own: in UTF-8 it becomes U+FFFD, and
 *  so one signature would be over two texts. */
export const SignedText = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .refine((text) => text.isWellFormed(), "text with a lone surrogate, which has no bytes to sign");

/** `text` is JSON; each signature is over domain, LF and the text's UTF-8 bytes. */
export const Signed = z.object({ text: SignedText(SIGNED_CHARS_MAX), signatures: z.array(Signature).max(32) });
export type Signed = z.infer<typeof Signed>;

/** What a signature is over: domain, LF, the text in UTF-8. */
export const signedBytes = (domain: Domain, text: string): Uint8Array => toUtf8(`${domain}\n${text}`);

/** Four bytes of sha256 over the raw key: a name for people, never a proof. */
export const keyId = (hash: Hash, publicKey: Uint8Array): KeyId => toHex(hash(publicKey).slice(0, 4)) as KeyId;

export type Signer = { publicKey: Uint8Array; sign: Sign };

/** Signs a value's canonical JSON. */
export function signValue(hash: Hash, signer: Signer, domain: Domain, value: unknown): Signed {
  const text = canonicalText(value);
  return { text, signatures: [signText(hash, signer, domain, text)] };
}

/** One signature over a text that is already canonical. */
export function signText(hash: Hash, signer: Signer, domain: Domain, text: string): Signature {
  return { key: keyId(hash, signer.publicKey), signature: toBase64(signer.sign(signedBytes(domain, text))) };
}

/** Whether `publicKey` made one of the signatures. */
export function isSignedBy(verify: Verify, publicKey: Uint8Array, domain: Domain, signed: Signed): boolean {
  const bytes = signedBytes(domain, signed.text);
  return signed.signatures.some(({ signature }) => {
    try {
      const raw = fromBase64(signature);
      return raw.length === SIGNATURE_BYTES && verify(publicKey, bytes, raw);
    } catch {
      return false;
    }
  });
}

/** Bytes off the wire → a signed value, still unbelieved: the signatures are the caller's to check. */
export function readSigned<T>(schema: z.ZodType<T>, untrusted: unknown): Result<{ signed: Signed; value: T }> {
  const signed = Signed.safeParse(untrusted);
  if (!signed.success) return fail(z.prettifyError(signed.error));
  const json = readJson(signed.data.text, SIGNED_CHARS_MAX);
  if (!json.ok) return fail(`what was signed: ${json.error}`);
  const value = schema.safeParse(json.value);
  return value.success ? ok({ signed: signed.data, value: value.data }) : fail(z.prettifyError(value.error));
}
