/** Whether a PDF needs a password (ISO 32000-2, 7.6). Most that are encrypted do not: their password is empty and only
 *  printing is forbidden; the scanner decrypts these itself. What is not understood here counts as needing one. */
import { createCipheriv, createHash } from "node:crypto";
import { Damaged, type Source } from "../source.ts";
import { type Dictionary, PdfText } from "./pdf-text.ts";

const WINDOW_BYTES = 1024 * 1024;
const OVERLAP_BYTES = 256;
const DICTIONARY_BYTES_MAX = 16 * 1024;
const FOUND_MAX = 64;
const PAD = Buffer.from("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a", "hex");

export const isPdf = (head: Buffer): boolean => head.subarray(0, 1024 + 5).includes("%PDF-");

/** Each letter may be written as its number. */
const NAME = /\/(?:E|#45)(?:n|#6[eE])(?:c|#63)(?:r|#72)(?:y|#79)(?:p|#70)(?:t|#74)(?=[\s\0/<>[\](){}%]|\d)/g;
const IDS = /\/ID[\s\0]*\[/g;

export function lockedPdf(source: Source): boolean {
  const uses = places(source, NAME);
  if (uses.length === 0) return false;
  const ids = new Map<string, Buffer>();
  for (const { end } of places(source, IDS)) {
    const [first] = textAt(source, end - 1).array();
    if (Buffer.isBuffer(first)) ids.set(first.toString("hex"), first);
  }
  const [id, ...others] = ids.size === 0 ? [Buffer.alloc(0)] : ids.values();
  if (others.length > 0) return true;
  return !uses.every(({ end }) => opensWithout(dictionaryAt(source, end), id!));
}

/** The dictionary itself, or the one object it names. */
function dictionaryAt(source: Source, at: number): Dictionary | null {
  const text = textAt(source, at);
  if (text.startsDictionary()) return text.dictionary();
  const reference = /^[\s\0]*(\d{1,8})[\s\0]+(\d{1,5})[\s\0]+R/.exec(text.rest());
  if (!reference) return null;
  const object = new RegExp(`(?<!\\d)0*${Number(reference[1])}[\\s\\0]+0*${Number(reference[2])}[\\s\\0]+obj`, "g");
  const [found, ...others] = places(source, object);
  // two objects of that name: readers differ in which one they take
  if (!found || others.length > 0) return null;
  const body = textAt(source, found.end);
  return body.startsDictionary() ? body.dictionary() : null;
}

const textAt = (source: Source, at: number): PdfText =>
  new PdfText(source.read(at, Math.min(DICTIONARY_BYTES_MAX, source.size - at)));

function places(source: Source, pattern: RegExp): { at: number; end: number }[] {
  const found = new Map<number, number>();
  for (let from = 0; from < source.size; from += WINDOW_BYTES) {
    const text = source.read(from, Math.min(WINDOW_BYTES + OVERLAP_BYTES, source.size - from)).toString("latin1");
    for (const match of text.matchAll(pattern)) {
      found.set(from + match.index, from + match.index + match[0].length);
      if (found.size > FOUND_MAX) throw new Damaged("is encrypted more often than any real one");
    }
  }
  return [...found].map(([at, end]) => ({ at, end }));
}

/** Whether the empty password is the user's. */
function opensWithout(dictionary: Dictionary | null, id: Buffer): boolean {
  if (dictionary === null || dictionary.get("Filter") !== "/Standard") return false;
  const [revision, o, u] = ["R", "O", "U"].map((key) => dictionary.get(key));
  if (!Buffer.isBuffer(o) || !Buffer.isBuffer(u)) return false;
  switch (revision) {
    case 2:
    case 3:
    case 4:
      return olderOpens(dictionary, revision, o, u, id);
    case 5:
      return u.length >= 40 && sha("sha256", u.subarray(32, 40)).equals(u.subarray(0, 32));
    case 6:
      return u.length >= 40 && hardened(u.subarray(32, 40)).equals(u.subarray(0, 32));
    default:
      return false;
  }
}

/** Algorithms 2, 4 and 5. */
function olderOpens(dictionary: Dictionary, revision: number, o: Buffer, u: Buffer, id: Buffer): boolean {
  const permissions = dictionary.get("P");
  const bits = revision === 2 ? 40 : (dictionary.get("Length") ?? (revision === 4 ? 128 : 40));
  if (typeof permissions !== "number" || typeof bits !== "number" || bits < 40 || bits > 128 || bits % 8 !== 0)
    return false;
  const flags = Buffer.alloc(4);
  flags.writeInt32LE(permissions | 0);
  const open = revision === 4 && dictionary.get("EncryptMetadata") === false ? [Buffer.alloc(4, 0xff)] : [];
  let key = sha("md5", PAD, o.subarray(0, 32), flags, id, ...open).subarray(0, bits / 8);
  if (revision === 2) return rc4(key, PAD).equals(u.subarray(0, 32));
  for (let round = 0; round < 50; round++) key = sha("md5", key).subarray(0, bits / 8);
  let value = rc4(key, sha("md5", PAD, id));
  for (let round = 1; round <= 19; round++) value = rc4(Buffer.from(key.map((byte) => byte ^ round)), value);
  return value.equals(u.subarray(0, 16));
}

const sha = (name: string, ...parts: Buffer[]): Buffer => {
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Algorithm 2.B, with an empty password. */
function hardened(salt: Buffer): Buffer {
  let key = sha("sha256", salt);
  for (let round = 0; ; round++) {
    const cipher = createCipheriv("aes-128-cbc", key.subarray(0, 16), key.subarray(16, 32)).setAutoPadding(false);
    const block = cipher.update(Buffer.concat(Array.from({ length: 64 }, () => key)));
    const sum = block.subarray(0, 16).reduce((all, byte) => all + byte, 0) % 3;
    key = sha(["sha256", "sha384", "sha512"][sum]!, block);
    if (round >= 63 && block.at(-1)! <= round - 31) return key.subarray(0, 32);
  }
}

function rc4(key: Buffer, bytes: Buffer): Buffer {
  const state = Array.from({ length: 256 }, (_, at) => at);
  const swap = (a: number, b: number) => {
    [state[a], state[b]] = [state[b]!, state[a]!];
  };
  for (let at = 0, to = 0; at < 256; at++) {
    to = (to + state[at]! + key[at % key.length]!) & 255;
    swap(at, to);
  }
  let [i, j] = [0, 0];
  return Buffer.from(
    bytes.map((byte) => {
      i = (i + 1) & 255;
      j = (j + state[i]!) & 255;
      swap(i, j);
      return byte ^ state[(state[i]! + state[j]!) & 255]!;
    }),
  );
}
