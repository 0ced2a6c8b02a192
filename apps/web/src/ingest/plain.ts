/** A line of a batch that is plainly as the agent writes it, read off its bytes in one pass with nothing made of it on
 *  the way: no strings, no objects. Whatever is not plain is `prepare.ts`' to read with care. */
import { CONTENT_BYTES_MAX, SALT_BYTES, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { moment } from "./moment.ts";
import { bodyEnd, digitsEnd, figure, shapeAt, stands, stringEnd } from "./shape.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");
const BEGIN = latin1('{"content":"');
const NEXT = latin1('",');
const GUEST = latin1('"guest":"');
const INDEX = latin1('"index":');
const KIND = latin1(',"kind":"');
const SEVERITY = latin1('","severity":"');
const TIME = latin1('","time":"');
const END = latin1('"}');
const BODY = latin1('{"body":');
const TEXT = latin1(',"text":');
const SEVERITY_NAMES = SEVERITIES.map((name) => latin1(`${name}"`));

const [LF, TAB, QUOTE, CLOSE, BACKSLASH] = [0x0a, 0x09, 0x22, 0x7d, 0x5c];
export const HASH_BYTES = 32;
const SALT_DIGITS = 44;
const GUEST_CHARS_MAX = 64;
const TIME_CHARS = 24;

const NIBBLES = new Int8Array(256).fill(-1);
for (const [value, digit] of Buffer.from("0123456789abcdef").entries()) NIBBLES[digit] = value;
const SIXES = new Int8Array(256).fill(-1);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (const [value, digit] of Buffer.from(ALPHABET).entries()) SIXES[digit] = value;
/** What a guest's name is made of; it begins with a letter or digit. */
const NAME = new Uint8Array(256);
for (const char of Buffer.from("abcdefghijklmnopqrstuvwxyz0123456789._-")) NAME[char] = 1;

/** One for a whole batch: the members speak of the line that was read last, as places in its bytes. */
export class PlainLine {
  timeMs = 0;
  severity = 0;
  entryTo = 0;
  kindFrom = 0;
  kindTo = 0;
  /** -1: no guest. */
  guestFrom = -1;
  guestTo = -1;
  contentFrom = 0;
  contentTo = 0;
  textFrom = 0;
  textTo = 0;
  /** The text is between quotes as it stands: no escapes, not too long. */
  textIsPlain = false;
  readonly contentHash = new Uint8Array(HASH_BYTES);
  readonly salt = new Uint8Array(SALT_BYTES);

  /** Where the next line begins, or -1 where this one is not plain. Changes nothing in `bytes`. */
  read(bytes: Uint8Array, from: number, index: number): number {
    this.entryTo = this.#entry(bytes, from, index);
    if (this.entryTo < 0 || bytes[this.entryTo] !== TAB || !this.#salt(bytes, this.entryTo + 1)) return -1;
    this.contentFrom = this.entryTo + 1 + SALT_DIGITS + 1;
    if (bytes[this.contentFrom - 1] !== TAB) return -1;
    this.contentTo = this.#content(bytes, this.contentFrom);
    if (this.contentTo < 0 || this.contentTo - this.contentFrom > CONTENT_BYTES_MAX) return -1;
    return bytes[this.contentTo] === LF ? this.contentTo + 1 : -1;
  }

  /** As shared's `entryText` spells it: an entry has one spelling. */
  #entry(bytes: Uint8Array, from: number, index: number): number {
    if (!stands(bytes, from, BEGIN)) return -1;
    let at = from + BEGIN.length;
    for (let next = 0; next < HASH_BYTES; next++, at += 2) {
      const high = NIBBLES[bytes[at]!]!;
      const low = NIBBLES[bytes[at + 1]!]!;
      if (high < 0 || low < 0) return -1;
      this.contentHash[next] = high * 16 + low;
    }
    if (!stands(bytes, at, NEXT)) return -1;
    at = this.#guest(bytes, at + NEXT.length);
    if (at < 0 || !stands(bytes, at, INDEX)) return -1;
    const indexTo = digitsEnd(bytes, at + INDEX.length);
    if (indexTo < 0 || figure(bytes, at + INDEX.length, indexTo) !== index || !stands(bytes, indexTo, KIND)) return -1;
    this.kindFrom = indexTo + KIND.length;
    const shape = shapeAt(bytes, this.kindFrom);
    if (!shape) return -1;
    this.kindTo = this.kindFrom + shape.kind.length;
    this.#shape = shape;
    if (!stands(bytes, this.kindTo, SEVERITY)) return -1;
    at = this.kindTo + SEVERITY.length;
    this.severity = SEVERITY_NAMES.findIndex((name) => stands(bytes, at, name));
    if (this.severity < 0) return -1;
    at += SEVERITY_NAMES[this.severity]!.length - 1;
    if (!stands(bytes, at, TIME)) return -1;
    at += TIME.length;
    this.timeMs = moment(bytes, at);
    at += TIME_CHARS;
    return Number.isNaN(this.timeMs) || !stands(bytes, at, END) ? -1 : at + END.length;
  }
  #shape: NonNullable<ReturnType<typeof shapeAt>> | undefined;

  #guest(bytes: Uint8Array, at: number): number {
    this.guestFrom = -1;
    this.guestTo = -1;
    if (!stands(bytes, at, GUEST)) return at;
    const from = at + GUEST.length;
    let to = from;
    while (NAME[bytes[to]!] === 1) to++;
    const first = bytes[from]!;
    const begins = (first >= 0x61 && first <= 0x7a) || (first >= 0x30 && first <= 0x39);
    if (!begins || to - from > GUEST_CHARS_MAX || !stands(bytes, to, NEXT)) return -1;
    this.guestFrom = from;
    this.guestTo = to;
    return to + NEXT.length;
  }

  /** 32 bytes in their one spelling: the last of 43 digits carries four bits, the other two are zero. */
  #salt(bytes: Uint8Array, from: number): boolean {
    const { salt } = this;
    let seen = 0;
    for (let at = from, to = 0; to < SALT_BYTES; at += 4, to += 3) {
      const last = to === SALT_BYTES - 2;
      const [a, b, c] = [SIXES[bytes[at]!]!, SIXES[bytes[at + 1]!]!, SIXES[bytes[at + 2]!]!];
      const d = last ? 0 : SIXES[bytes[at + 3]!]!;
      seen |= a | b | c | d; // below zero where one is no digit
      salt[to] = (a << 2) | (b >> 4);
      salt[to + 1] = (b << 4) | (c >> 2);
      if (last) return seen >= 0 && (c & 3) === 0 && bytes[at + 3] === 0x3d;
      salt[to + 2] = (c << 6) | d;
    }
    return false;
  }

  #content(bytes: Uint8Array, from: number): number {
    const end = bytes.length;
    if (!this.#shape || !stands(bytes, from, BODY)) return -1;
    const bodyTo = bodyEnd(this.#shape, bytes, from + BODY.length, end);
    if (bodyTo < 0 || !stands(bytes, bodyTo, TEXT)) return -1;
    this.textFrom = bodyTo + TEXT.length;
    this.textTo = stringEnd(bytes, this.textFrom, end);
    if (this.textTo < 0 || bytes[this.textTo] !== CLOSE) return -1;
    this.textIsPlain = this.textTo - this.textFrom - 2 <= TEXT_CHARS_MAX;
    for (let at = this.textFrom; this.textIsPlain && at < this.textTo; at++)
      if (bytes[at] === BACKSLASH) this.textIsPlain = false;
    return this.textTo + 1;
  }
}

/** For what stands in quotes and was not plain. */
export const quoted = (bytes: Buffer, from: number, to: number): string => {
  if (bytes[from] !== QUOTE) throw new RangeError("no string begins there");
  return JSON.parse(bytes.toString("utf8", from, to)) as string;
};
