/** A message that OpenPGP encrypted (RFC 9580, and what RFC 4880 and GnuPG have beside it): session keys, and behind them what
 *  is encrypted. Its first byte is one of a few, so the whole walk must agree before random bytes are taken for one. */

import { constants, inflateRawSync, inflateSync } from "node:zlib";

const KEY_TAG = { forSomebody: 1, forPassword: 3 };
const ENCRYPTED_TAGS: Record<number, readonly number[] | null> = { 9: null, 18: [1, 2], 20: [1] };
/** Readers pass over a marker, padding, and what is somebody's own. */
const PASSED_OVER = new Set([10, 21, 60, 61, 62, 63]);
/** None known is longer: two numbers of GnuPG's longest, or what ML-KEM wraps. */
const KEY_BYTES_MAX = 8_192;
/** A tag and the longest form of a length. */
const HEADER_BYTES_MAX = 6;

type Packet = { tag: number; body: number; length: number };

/** By both forms of a packet's beginning; null: none. In parts, or without an end, comes only what is encrypted. */
function packetAt(head: Buffer, at: number): Packet | null {
  const [first, second] = [head[at]!, head[at + 1]!];
  if (first < 0x80) return null;
  const endless = Number.POSITIVE_INFINITY;
  if (first < 0xc0) {
    const [tag, bytes] = [(first >> 2) & 15, 1 << (first & 3)];
    if (bytes === 8) return { tag, body: at + 1, length: endless };
    return { tag, body: at + 1 + bytes, length: head.readUIntBE(at + 1, bytes) };
  }
  const tag = first & 63;
  if (second < 192) return { tag, body: at + 2, length: second };
  if (second < 224) return { tag, body: at + 3, length: (second - 192) * 256 + head[at + 2]! + 192 };
  if (second === 255) return { tag, body: at + 6, length: head.readUInt32BE(at + 2) };
  return { tag, body: at + 2, length: endless };
}

/** From the first byte of a file on: one session key or more, whole as far as the head goes, and then what is encrypted. */
export function isEncryptedMessage(head: Buffer): boolean {
  let keys = 0;
  for (let at = 0; at + HEADER_BYTES_MAX <= head.length; ) {
    const packet = packetAt(head, at);
    if (packet === null) return false;
    const { tag, body, length } = packet;
    const versions = ENCRYPTED_TAGS[tag];
    if (versions !== undefined) return keys > 0 && (versions === null || versions.includes(head[body] ?? versions[0]!));
    if (isKey(packet, head)) keys += 1;
    else if (!PASSED_OVER.has(tag)) return false;
    at = body + length;
  }
  return keys > 0;
}

function isKey({ tag, body, length }: Packet, head: Buffer): boolean {
  if (length > KEY_BYTES_MAX) return false;
  const bytes = head.subarray(body, body + length);
  if (tag === KEY_TAG.forSomebody) return isForSomebody(bytes, length);
  return tag === KEY_TAG.forPassword && isForPassword(bytes, length);
}

/** RSA, Kyber by GnuPG, Elgamal in two forms, ECDH, and what signs only: a number first, with its length in bits before it. */
const NUMBERS = new Set([1, 2, 8, 16, 18, 19, 20, 22]);
/** GnuPG takes no longer number. */
const NUMBER_BITS_MAX = 16_384;
/** X25519, X448, and both with ML-KEM: so many bytes, and the wrapped key with its length before it. */
const PLAIN_BYTES: Record<number, number> = { 25: 32, 26: 56, 35: 32 + 1_088, 36: 56 + 1_568 };
/** Of who can open it in version 6: nobody named, or a key's version with its fingerprint. */
const WHO_BYTES = [0, 21, 33];

/** A session key for somebody's public key: version, key, algorithm, and what that made of it. */
function isForSomebody(bytes: Buffer, length: number): boolean {
  const [version, who] = [bytes[0], bytes[1]!];
  if (version === 6 ? !WHO_BYTES.includes(who) : version !== 2 && version !== 3) return false;
  const at = version === 6 ? 2 + who : 9;
  const algorithm = bytes[at];
  if (algorithm === undefined || bytes.length < at + 3) return false;
  const left = length - at - 1;
  const plain = PLAIN_BYTES[algorithm];
  if (plain !== undefined) {
    const wrapped = bytes[at + 1 + plain];
    return left > plain && (wrapped === undefined || plain + 1 + wrapped === left);
  }
  const bits = bytes.readUInt16BE(at + 1);
  return NUMBERS.has(algorithm) && bits > 0 && bits <= NUMBER_BITS_MAX && 2 + Math.ceil(bits / 8) <= left;
}

/** How a password becomes a key: so many bytes, of which the second is a hash's number but for Argon2. */
const FROM_PASSWORD_BYTES: Record<number, number> = { 0: 2, 1: 10, 3: 11, 4: 20 };
const ARGON2 = 4;
const isHash = (id: number): boolean => id > 0 && id < 15;
const isCipher = (id: number): boolean => id > 0 && id < 14;
/** EAX, OCB and GCM begin with so many bytes; each ends with as many to prove it. */
const NONCE_BYTES: Record<number, number> = { 1: 16, 2: 15, 3: 12 };
const PROOF_BYTES = 16;
/** A cipher's number and its longest key. */
const WRAPPED_BYTES_MAX = 33;

/** A session key for a password (versions 4, GnuPG's 5, and 6): cipher, how the password is used, the key if it is not that itself. */
function isForPassword(bytes: Buffer, length: number): boolean {
  const version = bytes[0];
  if (version === undefined || version < 4 || version > 6 || bytes.length < 4) return false;
  const at = version === 6 ? 2 : 1;
  const sealed = version === 4 ? 0 : NONCE_BYTES[bytes[at + 1]!];
  const use = version === 4 ? at + 1 : version === 5 ? at + 2 : at + 3;
  const made = FROM_PASSWORD_BYTES[bytes[use]!];
  if (sealed === undefined || made === undefined || !isCipher(bytes[at]!)) return false;
  if (bytes[use] !== ARGON2 && !isHash(bytes[use + 1] ?? 1)) return false;
  if (version === 6 && (bytes[1] !== 3 + made + sealed || bytes[4] !== made)) return false;
  const wrapped = length - use - made - sealed - (version === 4 ? 0 : PROOF_BYTES);
  return wrapped >= 0 && wrapped <= WRAPPED_BYTES_MAX;
}

const COMPRESSED_TAG = 8;
const PACKED_BY = { deflate: 1, zlib: 2, bzip2: 3 };
/** The first part of what comes in parts has no fewer. */
const PACKED_BYTES = 500;
/** A signature, the beginning of one, what is compressed once more, and the words themselves. */
const WITHIN = new Set([2, 4, 8, 11]);

/** What is only signed, or neither: gpg compresses it unless it is told not to. */
export function isCompressedMessage(head: Buffer): boolean {
  if (head.length < HEADER_BYTES_MAX) return false;
  const packet = packetAt(head, 0);
  if (packet?.tag !== COMPRESSED_TAG) return false;
  const packed = head.subarray(packet.body + 1, packet.body + 1 + Math.min(packet.length, PACKED_BYTES));
  const by = head[packet.body];
  if (by === PACKED_BY.bzip2) return /^BZh[1-9]1AY&SY/.test(packed.toString("latin1", 0, 10));
  if (by !== PACKED_BY.deflate && by !== PACKED_BY.zlib) return false;
  const inflate = by === PACKED_BY.zlib ? inflateSync : inflateRawSync;
  try {
    const within = inflate(packed, { finishFlush: constants.Z_SYNC_FLUSH });
    return within.length >= HEADER_BYTES_MAX && WITHIN.has(packetAt(within, 0)?.tag ?? 0);
  } catch {
    return false;
  }
}
