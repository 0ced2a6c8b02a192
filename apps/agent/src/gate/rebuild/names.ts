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
  // Windows drops dots and blanks at the end, so that two names become one; `.` and `..` go the same way
  name = name.replace(/[. ]+$/, (tail) => "_".repeat(tail.length));
  if (name === "") name = "_";
  if (RESERVED.test(name)) name = `_${name}`;
  return shorten(name, NAME_UNITS_MAX);
}

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

/** Keeps the extension, which says how a file is opened, and never half a character. */
export function shorten(name: string, unitsMax: number): string {
  if (name.length <= unitsMax) return name;
  const dot = name.lastIndexOf(".");
  const tail = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : "";
  const head = name.slice(0, unitsMax - tail.length).replace(/[\ud800-\udbff]$/, "");
  return `${head}${tail}`;
}

/** ` (2)` before the extension. */
export function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  const at = dot > 0 ? dot : name.length;
  const mark = ` (${number})`;
  return `${shorten(name.slice(0, at), NAME_UNITS_MAX - mark.length - (name.length - at))}${mark}${name.slice(at)}`;
}
