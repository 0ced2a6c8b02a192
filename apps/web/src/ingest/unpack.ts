/** A batch's bytes → its lines without making text of them all: contents stay bytes, as they are hashed and stored. The
 *  words on the wire are shared's `decodeBatch`: whatever is not plainly as it says is handed to that one, whose answer
 *  stands (a property test holds the two together). */
import { isUtf8 } from "node:buffer";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { CONTENT_BYTES_MAX, SALT_BYTES } from "@sallyport/shared/record/content.ts";
import { ENTRY_BYTES_MAX } from "@sallyport/shared/trail/entry.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_UNPACKED_BYTES_MAX,
  BATCH_VERSION,
  BatchHeader,
  decodeBatch,
} from "@sallyport/shared/wire/batch.ts";
import { decompress } from "../trail/crypto.ts";

export type Line = { entry: string; salt: Buffer | undefined; content: Buffer | undefined };
/** `bytes`: how many all lines are together. */
export type Unpacked = { header: BatchHeader; lines: Line[]; bytes: number };

export const LF = 0x0a;
const TAB = 0x09;

export function unpack(untrusted: Uint8Array): Result<Unpacked> {
  const plain = unpackPlain(untrusted);
  if (plain) return ok(plain);
  const batch = decodeBatch(decompress, untrusted);
  if (!batch.ok) return fail(batch.error);
  const lines = batch.value.records.map(({ entry, salt, content }) => ({
    entry,
    salt: salt && Buffer.from(salt),
    content: content === undefined ? undefined : Buffer.from(content),
  }));
  return ok({ header: batch.value.header, lines, bytes: untrusted.length });
}

function unpackPlain(untrusted: Uint8Array): Unpacked | undefined {
  const opened = open(untrusted);
  if (!opened) return undefined;
  const { header, bytes } = opened;
  const lines: Line[] = [];
  for (let at = opened.at; at < bytes.length; ) {
    const end = bytes.indexOf(LF, at);
    const line = readLine(bytes, at, end);
    if (!line) return undefined;
    lines.push(line);
    at = end + 1;
  }
  return lines.length === header.count ? { header, lines, bytes: bytes.length } : undefined;
}

/** The header, and all bytes with the place where the first line begins; the last byte is a line's end. */
export function open(untrusted: Uint8Array): { header: BatchHeader; bytes: Buffer; at: number } | undefined {
  if (untrusted.length > BATCH_BYTES_MAX || untrusted[0] !== BATCH_VERSION) return undefined;
  let bytes: Buffer;
  try {
    bytes = decompress(untrusted.subarray(1), BATCH_UNPACKED_BYTES_MAX) as Buffer;
  } catch {
    return undefined;
  }
  if (bytes.at(-1) !== LF || !isUtf8(bytes)) return undefined;
  const end = bytes.indexOf(LF);
  const header = readHeader(bytes.toString("utf8", 0, end));
  return header && { header, bytes, at: end + 1 };
}

function readHeader(untrusted: string): BatchHeader | undefined {
  try {
    return BatchHeader.safeParse(JSON.parse(untrusted)).data;
  } catch {
    return undefined;
  }
}

/** 32 bytes in their one spelling: the last of 43 digits carries four bits, the other two are zero. */
const SALT = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export function readLine(bytes: Buffer, from: number, to: number): Line | undefined {
  const first = bytes.indexOf(TAB, from);
  if (first < 0 || first > to) {
    if (to - from > ENTRY_BYTES_MAX) return undefined;
    return { entry: bytes.toString("utf8", from, to), salt: undefined, content: undefined };
  }
  const second = bytes.indexOf(TAB, first + 1);
  if (second < 0 || second > to || first - from > ENTRY_BYTES_MAX || to - second - 1 > CONTENT_BYTES_MAX)
    return undefined;
  const base64 = bytes.toString("latin1", first + 1, second);
  if (!SALT.test(base64)) return undefined;
  const salt = Buffer.allocUnsafe(SALT_BYTES);
  salt.write(base64, "base64");
  return { entry: bytes.toString("utf8", from, first), salt, content: bytes.subarray(second + 1, to) };
}
