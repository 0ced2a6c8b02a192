/** Canonical JSON after RFC 8785 (JCS): one spelling per value, so that a hash or a signature means the value. */
import { toUtf8 } from "./bytes.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** How deep a value may nest; deeper is refused rather than risking the stack. */
export const JSON_DEPTH_MAX = 64;

/** Members sorted by UTF-16 code units, numbers as ECMAScript prints them, no white space. A member that is
 *  `undefined` is absent.
 *  @throws TypeError for what JSON cannot say exactly: NaN, infinities, bigint, lone surrogates, too deep */
export function canonicalText(value: unknown, depth = 0): string {
  if (depth > JSON_DEPTH_MAX) throw new TypeError(`deeper than ${JSON_DEPTH_MAX} levels`);
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw new TypeError(`a ${typeof value} is no JSON value`);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join(",")}]`;
  let text = "{";
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object).sort()) {
    if (object[key] === undefined) continue;
    text += `${text === "{" ? "" : ","}${quoted(key)}:${canonicalText(object[key], depth + 1)}`;
  }
  return `${text}}`;
}

export const canonicalBytes = (value: unknown): Uint8Array<ArrayBuffer> => toUtf8(canonicalText(value));

/** Printable ASCII needs no escape; most text is that, and this is a quarter of an agent's work. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate");
  return JSON.stringify(text);
}
