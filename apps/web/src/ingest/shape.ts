/** Whether a body plainly has its kind's shape, told off its bytes as they came, for the kinds that come by the thousand:
 *  what JSON.parse and zod say, in a tenth of their time. A no says nothing: those two are asked then, and have the word
 *  (a property test holds all three together). Bodies are canonical, so members come in order and without spaces. */
import { GuestLog, GuestVia } from "@sallyport/shared/record/guest.ts";

/** Where the value that begins at `at` ends, or -1 where it is not plainly one. */
type Fits = (bytes: Uint8Array, at: number, end: number) => number;
type Member = { name: Uint8Array; must: boolean; fits: Fits };
/** `members` in canonical order. */
export type Shape = { kind: Uint8Array; members: readonly Member[]; must: number };

const [QUOTE, COMMA, COLON, MINUS, DOT, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x2d, 0x2e, 0x5c];
const [OPEN, CLOSE, LIST, LIST_END] = [0x7b, 0x7d, 0x5b, 0x5d];
const [ZERO, NINE, SPACE, LOWER_U] = [0x30, 0x39, 0x20, 0x75];
/** What may follow a backslash, but for u. */
const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));
const DEPTH_MAX = 32;
/** Longer ones are zod's: they may be past all numbers. */
const DIGITS_MAX = 15;

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Of so many bytes at most, and so of no more characters. */
const text =
  (bytesMax: number): Fits =>
  (bytes, at, end) => {
    const to = stringEnd(bytes, at, end);
    return to - at - 2 <= bytesMax ? to : -1;
  };
const whole =
  (max: number): Fits =>
  (bytes, at) => {
    const to = digitsEnd(bytes, at);
    return to > 0 && figure(bytes, at, to) <= max ? to : -1;
  };
const oneOf = (options: readonly string[]): Fits => {
  const quoted = options.map((option) => latin1(`"${option}"`));
  return (bytes, at) => {
    const found = quoted.find((option) => stands(bytes, at, option));
    return found ? at + found.length : -1;
  };
};
const object: Fits = (bytes, at, end) => (bytes[at] === OPEN ? valueEnd(bytes, at, end, 1) : -1);
const any = text(Number.POSITIVE_INFINITY);

const ENDPOINT: Record<string, Fits> = {
  source: text(64),
  sourcePort: whole(65_535),
  destination: text(64),
  destinationPort: whole(65_535),
  protocol: text(32),
};

/** A member that is not named here is zod's to judge. */
const SHAPES: readonly Shape[] = [
  shape(
    "guest.log",
    { via: oneOf(GuestVia.options), from: text(256), format: oneOf(GuestLog.shape.format.options), message: any },
    {
      facility: whole(23),
      level: whole(7),
      claimedTime: text(64),
      claimedHost: text(256),
      app: text(256),
      process: text(128),
      messageId: text(128),
      raw: any,
    },
  ),
  shape("ids.event", { eventTime: text(64), type: text(64), event: object }, { ...ENDPOINT, flow: text(32) }),
  shape(
    "net.drop",
    { event: object },
    { ...ENDPOINT, in: text(64), out: text(64), rule: text(128), bytes: whole(Number.MAX_SAFE_INTEGER) },
  ),
];

function shape(kind: string, must: Record<string, Fits>, may: Record<string, Fits>): Shape {
  const members = [
    ...Object.entries(must).map(([name, fits]) => ({ name, must: true, fits })),
    ...Object.entries(may).map(([name, fits]) => ({ name, must: false, fits })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: latin1(kind),
    members: members.map((member) => ({ ...member, name: latin1(`"${member.name}":`) })),
    must: Object.keys(must).length,
  };
}

/** The shape of the kind whose name ends, with its quote, before `to`. */
export function shapeAt(bytes: Uint8Array, from: number): Shape | undefined {
  for (const each of SHAPES) {
    if (stands(bytes, from, each.kind) && bytes[from + each.kind.length] === QUOTE) return each;
  }
  return undefined;
}

/** Where the body that begins at `at` ends, or -1. */
export function bodyEnd({ members, must }: Shape, bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== OPEN) return -1;
  let next = 0;
  let found = 0;
  for (let here = at + 1; here < end; here++) {
    while (next < members.length && !stands(bytes, here, members[next]!.name)) next++;
    const member = members[next++];
    if (!member) return -1;
    here = member.fits(bytes, here + member.name.length, end);
    if (here < 0) return -1;
    if (member.must) found++;
    if (bytes[here] === CLOSE) return found === must ? here + 1 : -1;
    if (bytes[here] !== COMMA) return -1;
  }
  return -1;
}

/** Whether `bytes` has `expected` from `at` on. */
export function stands(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let next = 0; next < expected.length; next++) if (bytes[at + next] !== expected[next]) return false;
  return true;
}

/** Behind a string's closing quote, or -1 where none is plainly one. `at` is its opening quote. */
export function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== QUOTE) return -1;
  for (let here = at + 1; here < end; here++) {
    const byte = bytes[here]!;
    if (byte === QUOTE) return here + 1;
    if (byte < SPACE) return -1;
    if (byte !== BACKSLASH) continue;
    here++;
    if (ESCAPES.has(bytes[here]!)) continue;
    if (bytes[here] !== LOWER_U) return -1;
    for (let digits = 4; digits > 0; digits--) if (!isHex(bytes[++here]!)) return -1;
  }
  return -1;
}

/** Digits without a zero before them; -1 where there are none, or too many. */
export function digitsEnd(bytes: Uint8Array, at: number): number {
  let here = at;
  while (bytes[here]! >= ZERO && bytes[here]! <= NINE && here - at <= DIGITS_MAX) here++;
  const count = here - at;
  return count > 0 && count <= DIGITS_MAX && (count === 1 || bytes[at] !== ZERO) ? here : -1;
}

export function figure(bytes: Uint8Array, at: number, to: number): number {
  let value = 0;
  for (let here = at; here < to; here++) value = value * 10 + bytes[here]! - ZERO;
  return value;
}

const isHex = (byte: number): boolean =>
  (byte >= ZERO && byte <= NINE) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);

const WORDS = ["true", "false", "null"].map(latin1);

function valueEnd(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const first = bytes[at]!;
  if (first === QUOTE) return stringEnd(bytes, at, end);
  if (first === OPEN || first === LIST) return depth > DEPTH_MAX ? -1 : membersEnd(bytes, at, end, depth);
  if (first !== MINUS && (first < ZERO || first > NINE)) {
    const word = WORDS.find((each) => stands(bytes, at, each));
    return word ? at + word.length : -1;
  }
  const to = digitsEnd(bytes, first === MINUS ? at + 1 : at);
  if (to < 0 || bytes[to] !== DOT) return to;
  let here = to + 1;
  while (bytes[here]! >= ZERO && bytes[here]! <= NINE) here++;
  return here > to + 1 ? here : -1;
}

function membersEnd(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const close = bytes[at] === OPEN ? CLOSE : LIST_END;
  if (bytes[at + 1] === close) return at + 2;
  for (let here = at + 1; here < end; here++) {
    if (close === CLOSE) {
      here = stringEnd(bytes, here, end);
      if (here < 0 || bytes[here] !== COLON) return -1;
      here++;
    }
    here = valueEnd(bytes, here, end, depth + 1);
    if (here < 0) return -1;
    if (bytes[here] === close) return here + 1;
    if (bytes[here] !== COMMA) return -1;
  }
  return -1;
}
