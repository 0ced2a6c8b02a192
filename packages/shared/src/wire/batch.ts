/** A contiguous run of a trail's records in one MQTT message, with the checkpoint at its end.
 *
 *  Format, version 1: the byte 0x01, then one zstd frame (RFC 8878) of lines that each end in LF:
 *  a header (canonical JSON), then one record a line: entry ‖ TAB ‖ salt (base64) ‖ TAB ‖ content. Entry and content
 *  are the canonical JSON that was hashed, so the console hashes what it reads and copies what it stores. A record
 *  whose content was given up is its entry alone. Canonical JSON holds no raw TAB or LF. */
import { z } from "zod";
import { concat, fromBase64, fromUtf8, toBase64, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import { Index, SessionId, TrailId } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { CONTENT_BYTES_MAX, SALT_BYTES } from "../record/content.ts";
import { ENTRY_BYTES_MAX } from "../trail/entry.ts";
import { NOTE_CHARS_MAX } from "../trail/note.ts";

export const BATCH_VERSION = 1;
/** A broker's usual bound is 1 MiB or more; a compressed batch stays below it. */
export const BATCH_BYTES_MAX = 1024 * 1024;
/** What a batch may unpack to: decompression is bounded by it. */
export const BATCH_UNPACKED_BYTES_MAX = 8 * 1024 * 1024;
export const BATCH_RECORDS_MAX = 4096;

/** `from` is the index of the first record. `session` is the agent process that sends. `oldest` is the first index
 *  whose content the agent still has. */
export const BatchHeader = z.object({
  trail: TrailId,
  session: SessionId,
  from: Index,
  count: z.int().min(1).max(BATCH_RECORDS_MAX),
  oldest: Index,
  checkpoint: z.string().max(NOTE_CHARS_MAX),
});
export type BatchHeader = z.infer<typeof BatchHeader>;

/** One record as it travels. `content` and `salt` are absent where the content was given up. */
export type BatchRecord = { entry: string; salt?: Uint8Array; content?: string };
export type Batch = { header: BatchHeader; records: BatchRecord[] };

export type Compress = (bytes: Uint8Array) => Uint8Array;
/** @throws where the bytes are no frame, or unpack to more than `bytesMax` */
export type Decompress = (bytes: Uint8Array, bytesMax: number) => Uint8Array;

/** One record with its LF. Entry and content are canonical JSON, which holds no raw TAB or LF. */
export function batchLine({ entry, salt, content }: BatchRecord): string {
  return salt && content !== undefined ? `${entry}\t${toBase64(salt)}\t${content}\n` : `${entry}\n`;
}

/** `lines` are the records' lines as `batchLine` makes them, already joined. */
export function encodeBatch(compress: Compress, header: BatchHeader, lines: string): Uint8Array {
  return concat(Uint8Array.of(BATCH_VERSION), compress(toUtf8(`${canonicalText(header)}\n${lines}`)));
}

/** Reads the envelope only: entries, hashes and the checkpoint's signature are ingest's to check. */
export function decodeBatch(decompress: Decompress, untrusted: Uint8Array): Result<Batch> {
  if (untrusted.length > BATCH_BYTES_MAX)
    return fail(`a batch of ${untrusted.length} bytes; at most ${BATCH_BYTES_MAX}`);
  if (untrusted[0] !== BATCH_VERSION)
    return fail(`batch version ${untrusted[0] ?? "none"}; this console reads ${BATCH_VERSION}`);
  let text: string;
  try {
    text = fromUtf8(decompress(untrusted.subarray(1), BATCH_UNPACKED_BYTES_MAX));
  } catch (error) {
    return fail(`the batch does not unpack: ${(error as Error).message}`);
  }
  if (!text.endsWith("\n")) return fail("the batch is torn: its last line has no end");
  const [head, ...lines] = text.slice(0, -1).split("\n");
  const header = readHeader(head ?? "");
  if (!header.ok) return header;
  if (lines.length !== header.value.count)
    return fail(`${lines.length} records; the header says ${header.value.count}`);
  const records: BatchRecord[] = [];
  for (const [at, line] of lines.entries()) {
    const record = readLine(line);
    if (!record.ok) return fail(`record ${header.value.from + at}: ${record.error}`);
    records.push(record.value);
  }
  return ok({ header: header.value, records });
}

function readHeader(untrusted: string): Result<BatchHeader> {
  try {
    const header = BatchHeader.safeParse(JSON.parse(untrusted));
    return header.success ? ok(header.data) : fail(`the header: ${z.prettifyError(header.error)}`);
  } catch {
    return fail("the header is no JSON");
  }
}

function readLine(line: string): Result<BatchRecord> {
  const first = line.indexOf("\t");
  const entry = first < 0 ? line : line.slice(0, first);
  if (entry.length > ENTRY_BYTES_MAX) return fail(`an entry longer than ${ENTRY_BYTES_MAX}`);
  if (first < 0) return ok({ entry });
  const second = line.indexOf("\t", first + 1);
  if (second < 0) return fail("a line has one tab; an entry alone has none, a whole record two");
  const content = line.slice(second + 1);
  if (isLongerThan(CONTENT_BYTES_MAX, content)) return fail(`a content longer than ${CONTENT_BYTES_MAX} bytes`);
  try {
    const salt = fromBase64(line.slice(first + 1, second));
    return salt.length === SALT_BYTES ? ok({ entry, salt, content }) : fail(`a salt is ${SALT_BYTES} bytes`);
  } catch {
    return fail("a salt is no base64");
  }
}

/** UTF-8 takes at most three bytes a UTF-16 unit: only a text near the bound is encoded to be measured. */
const isLongerThan = (bytesMax: number, text: string): boolean =>
  text.length * 3 > bytesMax && toUtf8(text).length > bytesMax;
