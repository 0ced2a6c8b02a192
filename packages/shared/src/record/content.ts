/** A record's content: its words and body as canonical JSON, committed to by a salted hash so that a short line
 *  cannot be guessed back from it once salt and content are erased. */
import { z } from "zod";
import { concat, fromUtf8 } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";

/** As long as the hash, so that no content can be guessed from it. */
export const SALT_BYTES = 32;

/** A whole record's bound; a larger manifest is split into parts under one root hash. */
export const CONTENT_BYTES_MAX = 256 * 1024;

/** Longest `text`; the whole line stays in the body. */
export const TEXT_CHARS_MAX = 1024;

export const Content = z.object({ text: z.string(), body: z.record(z.string(), z.json()) });
export type Content = z.infer<typeof Content>;

/** @throws TypeError for what JSON cannot say exactly */
export function contentBytes(content: { text: string; body: unknown }): Uint8Array<ArrayBuffer> {
  return canonicalBytes({ body: content.body, text: content.text });
}

/** sha256(salt ‖ content bytes), 32 bytes. */
export function commitment(hash: Hash, salt: Uint8Array, content: Uint8Array): Uint8Array {
  return hash(concat(salt, content));
}

/** For eyes and projections only: what is kept is the bytes. */
export function readContent(untrusted: Uint8Array): Result<Content> {
  let text: string;
  try {
    text = fromUtf8(untrusted);
  } catch {
    return fail("the content is not UTF-8");
  }
  const json = readJson(text, CONTENT_BYTES_MAX);
  if (!json.ok) return fail(`the content: ${json.error}`);
  const content = Content.safeParse(json.value);
  return content.success ? ok(content.data) : fail(z.prettifyError(content.error));
}
