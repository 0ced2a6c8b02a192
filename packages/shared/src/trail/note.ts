/** Signed notes (C2SP signed-note): a text, an empty line, and one line per signature. Ed25519 only. */
import { concat, equal, fromBase64, toBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { type Hash, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type Sign, type Verify } from "../base/crypto.ts";
import { fail, ok, type Result } from "../base/result.ts";

const ED25519 = 1;
export const NOTE_CHARS_MAX = 16 * 1024;

/** The four bytes before a signature: sha256(name ‖ LF ‖ 0x01 ‖ key), cut. */
function keyHash(hash: Hash, name: string, publicKey: Uint8Array): Uint8Array {
  return hash(concat(toUtf8(`${name}\n`), Uint8Array.of(ED25519), publicKey)).slice(0, 4);
}

/** The verifier key as text, `name+hash+base64`, as Go's `sumdb/note` and other C2SP tools read it. */
export function vkey(hash: Hash, name: string, publicKey: Uint8Array): string {
  return `${name}+${toHex(keyHash(hash, name, publicKey))}+${toBase64(concat(Uint8Array.of(ED25519), publicKey))}`;
}

/** Ed25519 only; the hash in it is checked against name and key. */
export function readVkey(hash: Hash, untrusted: string): Result<{ name: string; publicKey: Uint8Array }> {
  const match = /^([^+\s]{1,256})\+([0-9a-f]{8})\+(\S{1,256})$/.exec(untrusted.trim());
  if (!match) return fail("a verifier key reads name+8 hex digits+base64");
  let key: Uint8Array;
  try {
    key = fromBase64(match[3]!);
  } catch {
    return fail("the verifier key's last part is no base64");
  }
  if (key.length !== 1 + PUBLIC_KEY_BYTES || key[0] !== ED25519) return fail("the verifier key is not an Ed25519 key");
  const publicKey = key.slice(1);
  if (toHex(keyHash(hash, match[1]!, publicKey)) !== match[2]) return fail("the verifier key's hash does not fit it");
  return ok({ name: match[1]!, publicKey });
}

/** `text` ends in a newline. The result is the whole note. */
export function signNote(hash: Hash, sign: Sign, name: string, publicKey: Uint8Array, text: string): string {
  const signature = concat(keyHash(hash, name, publicKey), sign(toUtf8(text)));
  return `${text}\n\u2014 ${name} ${toBase64(signature)}\n`;
}

/** The note's text if `publicKey` under `name` signed it; other signatures are passed over. */
export function openNote(
  hash: Hash,
  verify: Verify,
  name: string,
  publicKey: Uint8Array,
  untrusted: string,
): Result<string> {
  if (untrusted.length > NOTE_CHARS_MAX) return fail("a note that long is no checkpoint");
  if (!untrusted.isWellFormed()) return fail("a note with a lone surrogate, which has no bytes to sign");
  const at = untrusted.lastIndexOf("\n\n");
  if (at < 0 || !untrusted.endsWith("\n")) return fail("a note is a text, an empty line and signatures");
  const text = untrusted.slice(0, at + 1);
  const wanted = keyHash(hash, name, publicKey);
  for (const line of untrusted.slice(at + 2, -1).split("\n")) {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!match) return fail("a signature line reads: dash, name, base64");
    if (match[1] !== name) continue;
    let bytes: Uint8Array;
    try {
      bytes = fromBase64(match[2]!);
    } catch {
      return fail("a signature is no base64");
    }
    if (bytes.length !== 4 + SIGNATURE_BYTES || !equal(bytes.slice(0, 4), wanted)) continue;
    return verify(publicKey, toUtf8(text), bytes.slice(4))
      ? ok(text)
      : fail(`the signature of ${name} does not verify`);
  }
  return fail(`no signature by the key of ${name}`);
}
