/** A stick's names → names that every guest can have and no guest trips over. What a name says is kept where it can be. */
import { isUtf8 } from "node:buffer";

/** UTF-16 units, as exFAT counts. */
export const NAME_UNITS_MAX = 255;
/** Deeper folders than this are joined into one name. */
const DEPTH_MAX = 32;

// controls, what Windows forbids, zero-width and bidi controls, line separators, noncharacters, private tags
const UNSAFE =
  /[\u0000-\u001f"*/:<>?\\|\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\u{e0000}-\u{e007f}]|\p{Cs}/gu;
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

/** One part of a path. */
export function safeName(untrusted: string): string {
  let name = untrusted.normalize("NFC").replace(UNSAFE, "_").trimStart();
  name = closed(name);
  if (name === "") name = "_";
  if (RESERVED.test(name)) name = `_${name}`;
  return shorten(name, NAME_UNITS_MAX);
}

/** Windows drops dots and blanks at the end, so that two names become one; `.` and `..` go the same way. */
const closed = (name: string): string => name.replace(/[. ]+$/, (tail) => "_".repeat(tail.length));

/** A path's bytes as parts. */
export function safeParts(path: Buffer): string[] {
  const text = isUtf8(path) ? path.toString("utf8") : path.toString("latin1").replace(/[\u0080-\u00ff]/g, "_");
  const parts = text
    .split("/")
    .filter((part) => part !== "")
    .map(safeName);
  if (parts.length === 0) return ["_"];
  if (parts.length <= DEPTH_MAX) return parts;
  return [...parts.slice(0, DEPTH_MAX - 1), shorten(parts.slice(DEPTH_MAX - 1).join("_"), NAME_UNITS_MAX)];
}

/** An ending of more units than these is none that says how a file is opened. */
const ENDING_UNITS_MAX = 16;

/** Keeps the ending, which says how a file is opened, and never half a character. For more units than an ending has. */
export function shorten(name: string, unitsMax: number): string {
  if (name.length <= unitsMax) return name;
  const ending = endingOf(name);
  const head = name.slice(0, unitsMax - ending.length).replace(/[\ud800-\udbff]$/, "");
  return ending === "" ? closed(head) : `${head}${ending}`;
}

function endingOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 && name.length - dot <= ENDING_UNITS_MAX ? name.slice(dot) : "";
}

/** What stands before and after a number of so many digits in a name that is like another: ` (2)` before the ending, and
 *  with it no longer than a name may be. */
export function aroundNumber(name: string, digits: number): { before: string; after: string } {
  const unitsMax = NAME_UNITS_MAX - " ()".length - digits;
  const dot = name.lastIndexOf(".");
  const at = dot > 0 ? dot : name.length;
  const left = unitsMax - (name.length - at);
  const isCut = left <= ENDING_UNITS_MAX && at > left;
  const ending = isCut ? endingOf(name) : name.slice(at);
  const head = shorten(name.slice(0, name.length - ending.length), unitsMax - ending.length);
  return { before: `${head} (`, after: `)${ending}` };
}
