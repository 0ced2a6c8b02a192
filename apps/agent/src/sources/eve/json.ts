/** JSON whose numbers keep every digit: what a double cannot hold is a string. JSON.parse alone where nothing in the
 *  line can lose anything, which is nearly every line. */
import { JSON_DEPTH_MAX, type Json } from "@sallyport/shared/base/canonical.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";

export type JsonObject = { [key: string]: Json };

/** A number of more than 15 digits (16 where the first is below 9) or with an exponent, or an escape that may be half
 *  a surrogate pair. In a string they only cost the slower way. */
const EXPONENT = /\d[eE][+-]?\d/;
const HALF_PAIR = /\\u[dD][89a-fA-F]/;
const mayLose = (line: string) => manyDigits(line) || EXPONENT.test(line) || HALF_PAIR.test(line);

/** Room for the levels a record puts around it. */
const DEPTH_MAX = JSON_DEPTH_MAX - 4;

/** `exact` is false where a string held half a surrogate pair, which is written out as `\ud800`. */
export function parseObject(line: string): Result<{ object: JsonObject; exact: boolean }> {
  if (!shallow(line)) return fail(`nested deeper than ${DEPTH_MAX} levels`);
  let value: unknown;
  const lossy = mayLose(line);
  try {
    value = lossy ? JSON.parse(line, keepDigits as (key: string, value: unknown) => unknown) : JSON.parse(line);
  } catch (error) {
    return fail(`no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("JSON, but no object");
  const object = value as JsonObject;
  if (!lossy || !HALF_PAIR.test(line)) return ok({ object, exact: true });
  const whole = wellFormed(object) as JsonObject;
  return ok({ object: whole, exact: whole === object });
}

/** JSON.parse's reviver with source text access (ECMAScript 2025's proposal, in Node 24). */
function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  return typeof value !== "number" || context.source === undefined || holds(value, context.source)
    ? value
    : context.source;
}

/** Whether the double says the same number as its source text. An integer beyond 2^53 is a string even where the
 *  double happens to meet it, so that an id's form does not depend on its last bit. */
function holds(value: number, source: string): boolean {
  if (!/[.eE]/.test(source)) return Number.isSafeInteger(value);
  return Number.isFinite(value) && decimal(source) === decimal(String(value));
}

/** `digits`e`exponent` with no zeros at either end: one spelling per number. */
function decimal(text: string): string {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  if (end === 0) return "0";
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** The value itself where every string in it is valid Unicode, else a copy with escapes. */
function wellFormed(value: Json): Json {
  if (typeof value === "string") return value.isWellFormed() ? value : escapeHalves(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(wellFormed);
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  const members = Object.entries(value).map(([key, member]) => [escapeHalves(key), wellFormed(member)] as const);
  const same = members.every(([key, member]) => Object.hasOwn(value, key) && value[key] === member);
  return same ? value : Object.fromEntries(members);
}

const escapeHalves = (text: string) =>
  text.replace(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A run of such digits. Each run of 16 covers every 16th place, so only those are looked at. */
function manyDigits(line: string): boolean {
  const isDigit = (at: number) => {
    const code = line.charCodeAt(at);
    return (code >= 0x30 && code <= 0x39) || code === 0x2e;
  };
  for (let at = 15; at < line.length; at += 16) {
    if (!isDigit(at)) continue;
    let from = at;
    while (from > 0 && isDigit(from - 1)) from--;
    while (isDigit(at + 1)) at++;
    const length = at + 1 - from;
    if (length > 16 || (length === 16 && line[from] === "9")) return true;
  }
  return false;
}

/** Counts brackets, in strings too: few lines hold as many as the depth allows, and only those are looked at twice. */
function shallow(line: string): boolean {
  let open = 0;
  for (const bracket of ["{", "["]) {
    for (let at = line.indexOf(bracket); at >= 0 && open <= DEPTH_MAX; at = line.indexOf(bracket, at + 1)) open++;
  }
  return open <= DEPTH_MAX || depth(line) <= DEPTH_MAX;
}

function depth(line: string): number {
  let deepest = 0;
  let now = 0;
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++now);
    else if (code === 0x7d || code === 0x5d) now--;
  }
  return deepest;
}
