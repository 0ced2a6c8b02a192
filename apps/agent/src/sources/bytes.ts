/** Untrusted bytes → text that a record can hold, and the raw bytes beside it. */
import { isUtf8 } from "node:buffer";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";

/** Always valid Unicode: what is not UTF-8 becomes U+FFFD, and `exact` says that something was lost. */
export function readText(bytes: Buffer): { text: string; exact: boolean } {
  return { text: bytes.toString("utf8"), exact: isUtf8(bytes) };
}

/** At most `charsMax` UTF-16 units, never half a pair. */
export function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const last = text.charCodeAt(charsMax - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? charsMax - 1 : charsMax);
}

/** A record's one line for people: nothing in it moves a cursor, and a longer one ends in `…`. */
export function oneLine(untrusted: string): string {
  const safe = escapeForDisplay(untrusted.length > TEXT_CHARS_MAX ? cut(untrusted, TEXT_CHARS_MAX + 1) : untrusted);
  return safe.length > TEXT_CHARS_MAX ? `${cut(safe, TEXT_CHARS_MAX - 1)}…` : safe;
}

/** What the text costs in canonical JSON, in bytes, with its quotes. */
export const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text));

/** How many of the bytes make whole UTF-8 characters: a cut there does not break one. Bytes that are no UTF-8 anyway
 *  are cut as they stand. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needs > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}
