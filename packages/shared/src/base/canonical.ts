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
      return `${value}`;
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw new TypeError(`a ${typeof value} is no JSON value`);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return arrayText(value, depth);
  let text = "";
  const object = value as Record<string, unknown>;
  for (const key of sorted(Object.keys(object))) {
    const member = object[key];
    if (member === undefined) continue;
    text += (text === "" ? "{" : ",") + named(key) + canonicalText(member, depth + 1);
  }
  return text === "" ? "{}" : `${text}}`;
}

function arrayText(items: readonly unknown[], depth: number): string {
  let text = "[";
  for (let at = 0; at < items.length; at++) text += (at === 0 ? "" : ",") + canonicalText(items[at], depth + 1);
  return `${text}]`;
}

/** Objects have few members: there, putting each in its place is twice as fast as the engine's own sort. */
const FEW = 32;

function sorted(keys: string[]): string[] {
  if (keys.length > FEW) return keys.sort();
  for (let from = 1; from < keys.length; from++) {
    const key = keys[from]!;
    let at = from;
    for (; at > 0 && keys[at - 1]! > key; at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
  return keys;
}

/** The same few hundred names come in every record; what a guest makes up fills no more than this. */
const NAMES_MAX = 2_048;
const NAME_CHARS_MAX = 64;
const names = new Map<string, string>();

/** A member's name with its colon. */
function named(key: string): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const text = `${quoted(key)}:`;
  if (names.size < NAMES_MAX && key.length <= NAME_CHARS_MAX) names.set(key, text);
  return text;
}

/** `canonicalText` in UTF-8: what is hashed. @throws TypeError as it does */
export const canonicalBytes = (value: unknown): Uint8Array<ArrayBuffer> => toUtf8(canonicalText(value));

/** Printable ASCII needs no escape; most text is that, and this is a quarter of an agent's work. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate");
  return JSON.stringify(text);
}
