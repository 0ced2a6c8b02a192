/** Source → entries. What each file system reader gives, and the bounds it walks within. */
import { Damaged, LimitReached, type Source } from "./source.ts";

export type EntryKind = "file" | "folder" | "link" | "device" | "fifo" | "socket";

/** By the upper four bits of a Unix mode. */
export const KINDS: Readonly<Record<number, EntryKind>> = {
  1: "fifo",
  2: "device",
  4: "folder",
  6: "device",
  8: "file",
  10: "link",
  12: "socket",
};

export type Entry = {
  /** The name's own bytes from the root, parts joined by `/`. Claims: may hold anything, `..` and line ends too. */
  path: Buffer;
  kind: EntryKind;
  /** Bytes, as the file system says. */
  size: number;
  /** Null where there is none or it cannot be read; then `problem` says why. */
  content: Source | null;
  problem?: string;
  /** For people: where a link points, which device. */
  detail?: string;
};

export type Volume = {
  fileSystem: string;
  label?: string;
  /** How many bytes of the source the file system claims. */
  bytes: number;
  /** Before this byte no file's content lies, where that is known. */
  contentFrom?: number;
  /** Why the list may not be all there is. */
  problem?: string;
  entries(bounds: Bounds): Generator<Entry>;
};

/** Null: this is not my file system. A volume with a problem: it is, and broken. */
export type Probe = (source: Source) => Volume | null;

export const PATH_BYTES_MAX = 8_192;
export const FOLDER_DEPTH_MAX = 256;

/** Counts entries down over a whole medium, so that no crafted table makes a list without end. */
export type Bounds = { take(): void };

export function countdown(count: number): Bounds {
  let left = count;
  return {
    take() {
      left -= 1;
      if (left < 0) throw new LimitReached(`more than ${count} files and folders`);
    },
  };
}

/** @throws Damaged where the path grows beyond any real one */
export function join(folder: Buffer, name: Buffer, depth: number): Buffer {
  const path = folder.length === 0 ? name : Buffer.concat([folder, SLASH, name]);
  if (path.length > PATH_BYTES_MAX) throw new Damaged(`has a path longer than ${PATH_BYTES_MAX} bytes`);
  if (depth > FOLDER_DEPTH_MAX) throw new Damaged(`lies deeper than ${FOLDER_DEPTH_MAX} folders`);
  return path;
}
const SLASH = Buffer.from("/");

/** UTF-16 code units as UTF-8 where they are Unicode, else as WTF-8, which no UTF-8 decoder takes. */
export function wtf8(units: Uint16Array | number[]): Buffer {
  const text = String.fromCharCode(...units);
  if (text.isWellFormed()) return Buffer.from(text, "utf8");
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff)
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else bytes.push(...Buffer.from(char, "utf8"));
  }
  return Buffer.from(bytes);
}

export function utf16le(bytes: Buffer): Buffer {
  const units: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) units.push(bytes.readUInt16LE(at));
  return wtf8(units);
}

/** What is wrong with the medium, in words; anything else (a limit, our own bug) is thrown on. */
export const reason = (error: unknown): string => {
  if (error instanceof Damaged) return error.message;
  if (error instanceof RangeError) return "has a structure that ends early";
  throw error;
};

export const powerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

/** A folder that cannot be read is listed, so that what it hides is not passed over; the root as a slash. */
export const brokenFolder = (path: Buffer, problem: string): Entry => ({
  path: path.length === 0 ? SLASH : path,
  kind: "folder",
  size: 0,
  content: null,
  problem,
});

/** Builds a file's content, or the entry without it and the reason. */
export function fileEntry(path: Buffer, size: number, content: () => Source, problem?: string): Entry {
  if (problem !== undefined) return { path, kind: "file", size, content: null, problem };
  try {
    return { path, kind: "file", size, content: content() };
  } catch (error) {
    return { path, kind: "file", size, content: null, problem: reason(error) };
  }
}
