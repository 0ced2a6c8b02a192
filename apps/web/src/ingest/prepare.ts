/** Untrusted bytes → a batch whose entries read and whose contents fit them, or the reason why not. CPU only, no I/O;
 *  the checkpoint is judged later, once for all that is committed together. */
import { hash as digest } from "node:crypto";
import { JSON_DEPTH_MAX } from "@sallyport/shared/base/canonical.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { isShallow } from "@sallyport/shared/base/json.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { Content, SALT_BYTES, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import type { BatchHeader } from "@sallyport/shared/wire/batch.ts";
import { z } from "zod";
import { LOOKED_INTO } from "../alert/raise.ts";
import { hash } from "../trail/crypto.ts";
import { type Rows, RowsWriter } from "./copy.ts";
import { momentOf } from "./moment.ts";
import { HASH_BYTES, PlainLine, quoted } from "./plain.ts";
import type { Row } from "./row.ts";
import { LF, type Line, open, readLine, unpack } from "./unpack.ts";

export type Prepared = {
  workstation: WorkstationId;
  header: BatchHeader;
  rows: Rows;
  /** Those with a `body`. */
  lookedInto: Row[];
  newestMs: number;
  entries: string[];
  leaves: Uint8Array[];
  /** As it came, for quarantine. */
  bytes: Uint8Array;
};

/** `code` is for quarantine and alerts, `reason` for people. */
export type Unreadable = { code: "malformed" | "hash"; reason: string; header?: BatchHeader };

/** What a row adds to its line: the text once more, fields' lengths; less a hash and a salt that were text. */
const ROW_BYTES = 128;
/** Salt and content side by side, to be hashed in one call. */
let scratch = Buffer.allocUnsafe(64 * 1024);

/** Lines that are plain are read as they stand, the others with care; where something is wrong, all of the batch is read
 *  again with care, and that finds the words (a property test holds the two together). */
export function prepare(workstation: WorkstationId, untrusted: Uint8Array): Result<Prepared, Unreadable> {
  const quick = prepareQuickly(workstation, untrusted);
  return quick ? ok(quick) : prepareCarefully(workstation, untrusted);
}

const plain = new PlainLine();

function prepareQuickly(workstation: WorkstationId, untrusted: Uint8Array): Prepared | undefined {
  const opened = open(untrusted);
  if (!opened) return undefined;
  const { header, bytes } = opened;
  const into = new Gathered(bytes.length + header.count * ROW_BYTES);
  let at = opened.at;
  for (let index = header.from; at < bytes.length; index++) {
    const next = plain.read(bytes, at, index);
    if (next > 0) {
      if (!into.plain(bytes, at, plain, index)) return undefined;
      at = next;
      continue;
    }
    const end = bytes.indexOf(LF, at);
    const line = readLine(bytes, at, end);
    if (!line || into.careful(line, index)) return undefined;
    at = end + 1;
  }
  return into.count === header.count ? into.end(workstation, header, untrusted) : undefined;
}

export function prepareCarefully(workstation: WorkstationId, untrusted: Uint8Array): Result<Prepared, Unreadable> {
  const batch = unpack(untrusted);
  if (!batch.ok) return fail({ code: "malformed", reason: batch.error });
  const { header, lines, bytes } = batch.value;
  const into = new Gathered(bytes + lines.length * ROW_BYTES);
  for (const [at, line] of lines.entries()) {
    const index = header.from + at;
    const fault = into.careful(line, index);
    if (fault) return fail({ code: fault.code, reason: `record ${index}: ${fault.reason}`, header });
  }
  return ok(into.end(workstation, header, untrusted));
}

/** What a batch has come to so far. */
class Gathered {
  readonly #rows: RowsWriter;
  readonly #lookedInto: Row[] = [];
  readonly #entries: string[] = [];
  readonly #leaves: Uint8Array[] = [];
  #newestMs = 0;

  constructor(bytesExpected: number) {
    this.#rows = new RowsWriter(bytesExpected);
  }

  get count(): number {
    return this.#entries.length;
  }

  /** False where the content is not the one its entry commits to. What stands around entry and content is written over,
   *  so that both are hashed where they are. */
  plain(bytes: Buffer, from: number, line: PlainLine, index: number): boolean {
    const saltAt = line.contentFrom - SALT_BYTES;
    bytes.set(line.salt, saltAt);
    const found = digest("sha256", bytes.subarray(saltAt, line.contentTo), "binary");
    for (let at = 0; at < HASH_BYTES; at++) if (found.charCodeAt(at) !== line.contentHash[at]) return false;
    const text = line.textIsPlain ? undefined : projectedText(quoted(bytes, line.textFrom, line.textTo));
    this.#rows.addPlain(bytes, line, index, text);
    this.#newestMs = line.timeMs;
    this.#entries.push(bytes.toString("latin1", from, line.entryTo));
    bytes[from - 1] = 0; // where the line before ended
    this.#leaves.push(hash(bytes.subarray(from - 1, line.entryTo)));
    return true;
  }

  careful({ entry: spelled, salt, content }: Line, index: number): Omit<Unreadable, "header"> | undefined {
    const entry = readEntryFast(spelled);
    if (!entry.ok) return { code: "malformed", reason: entry.error };
    const row = entry.value;
    if (row.index !== index) return { code: "malformed", reason: `its entry says it is ${row.index}` };
    if (salt && content) {
      if (commits(salt, content) !== row.contentHash)
        return { code: "hash", reason: "its content is not the one its entry commits to" };
      project(row, content.toString());
    }
    this.#rows.add(row, salt, content);
    if (row.body !== undefined) this.#lookedInto.push(row);
    this.#newestMs = row.timeMs;
    this.#entries.push(spelled);
    this.#leaves.push(leafOf(spelled));
    return undefined;
  }

  end(workstation: WorkstationId, header: BatchHeader, bytes: Uint8Array): Prepared {
    return {
      workstation,
      header,
      rows: this.#rows.end(),
      lookedInto: this.#lookedInto,
      newestMs: this.#newestMs,
      entries: this.#entries,
      leaves: this.#leaves,
      bytes,
    };
  }
}

function commits(salt: Uint8Array, content: Buffer): string {
  const length = salt.length + content.length;
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length * 2);
  scratch.set(salt);
  content.copy(scratch, salt.length);
  return digest("sha256", scratch.subarray(0, length), "hex");
}

function leafOf(entry: string): Uint8Array {
  scratch[0] = 0;
  const length = scratch.write(entry, 1, "latin1"); // an entry that was read is plain ASCII
  return hash(scratch.subarray(0, 1 + length));
}

/** An entry has one spelling, so one expression reads it: what matches is canonical. */
const ENTRY =
  /^\{"content":"([0-9a-f]{64})",(?:"guest":"([a-z0-9][a-z0-9._-]{0,63})",)?"index":(0|[1-9]\d{0,15}),"kind":"([a-z]{2,16}\.[a-z-]{2,32})","severity":"([a-z]+)","time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"\}$/;

/** As shared's `readEntry`, which is asked for the words where this one says no; a property test holds them together. */
export function readEntryFast(untrusted: string): Result<Row> {
  const match = ENTRY.exec(untrusted);
  const severity = match ? SEVERITIES.indexOf(match[5] as (typeof SEVERITIES)[number]) : -1;
  const timeMs = match ? momentOf(match[6]!) : Number.NaN;
  const index = match ? Number(match[3]) : Number.NaN;
  if (!match || severity < 0 || !Number.isSafeInteger(index) || Number.isNaN(timeMs)) {
    const entry = readEntry(untrusted);
    return fail(entry.ok ? "an entry that is spelled in an unknown way" : entry.error);
  }
  return ok({
    index,
    timeMs,
    kind: match[4]!,
    severity,
    guest: match[2],
    text: "",
    contentHash: match[1]!,
    marked: undefined,
    body: undefined,
  });
}

/** What search and pages are made from: lossy, never what is proved. */
function project(row: Row, json: string): void {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    row.marked = "the content is no JSON"; // the parser's words would quote it to those who may not read contents
    return;
  }
  const { text, body } = Object(value) as { text?: unknown; body?: unknown };
  if (typeof text === "string") row.text = projectedText(text);
  const schema = bodySchema(row.kind);
  if (typeof text !== "string" || typeof body !== "object" || body === null || Array.isArray(body)) {
    row.marked = mark(`the content: ${contentFault(value)}`);
  } else if (!schema) {
    row.marked = `this console does not know the kind ${row.kind}`;
  } else if (!isShallow(body)) {
    row.marked = `the body: ${TOO_DEEP}`;
  } else {
    const read = schema.safeParse(body);
    if (!read.success) row.marked = mark(`the body: ${z.prettifyError(read.error)}`);
    else if (LOOKED_INTO.has(row.kind) || WRITTEN_DOWN.has(row.kind)) row.body = read.data;
  }
}

/** A schema is recursive: what nests without end would end the worker, and its trail with it. */
function contentFault(value: unknown): string {
  if (!isShallow(value)) return TOO_DEEP;
  const shape = Content.safeParse(value);
  return shape.success ? "not as it should be" : z.prettifyError(shape.error);
}

const TOO_DEEP = `deeper than ${JSON_DEPTH_MAX} levels, or with a number that JSON cannot say`;

/** Beside what alerts are made from: what ingest/command.ts, ingest/applied.ts and ingest/escrow.ts write down. */
const WRITTEN_DOWN: ReadonlySet<string> = new Set([
  ...["command.received", "command.done", "policy.applied"],
  ...["disk.recovery", "disk.wiped"],
]);

const MARK_CHARS_MAX = 1024;
const mark = (reason: string): string => projectedText(reason.slice(0, MARK_CHARS_MAX));

/** Postgres' text holds no U+0000 and no lone surrogate. */
export function projectedText(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX * 2 ? text.slice(0, TEXT_CHARS_MAX * 2) : text;
  return (cut.includes("\u0000") ? cut.replaceAll("\u0000", "\u2400") : cut).toWellFormed();
}
