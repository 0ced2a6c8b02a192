/** Untrusted bytes → a batch whose entries read and whose contents fit them, or the reason why not. CPU only, no I/O;
 *  the checkpoint is judged later, once for all that is committed together. */
import { hash as hashNode } from "node:crypto";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { Content, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import type { BatchHeader } from "@sallyport/shared/wire/batch.ts";
import { z } from "zod";
import { LOOKED_INTO } from "../alert/raise.ts";
import { unpack } from "./unpack.ts";

/** One record, checked, as it goes into the table. `body` only of a kind that is looked into, with its shape. */
export type Row = {
  index: number;
  timeMs: number;
  kind: string;
  severity: number;
  guest: string | undefined;
  text: string;
  contentHash: Buffer;
  salt: Uint8Array | undefined;
  content: Buffer | undefined;
  marked: string | undefined;
  body: unknown;
  entry: string;
};

export type Prepared = {
  workstation: WorkstationId;
  header: BatchHeader;
  rows: Row[];
  leaves: Buffer[];
  /** As it came, for quarantine. */
  bytes: Uint8Array;
};

/** `code` is for quarantine and alerts, `reason` for people. */
export type Unreadable = { code: "malformed" | "hash"; reason: string; header?: BatchHeader };

const sha256 = (bytes: Uint8Array): Buffer => hashNode("sha256", bytes, "buffer");
/** Salt and content side by side, to be hashed in one call. */
let scratch = Buffer.allocUnsafe(64 * 1024);

export function prepare(workstation: WorkstationId, untrusted: Uint8Array): Result<Prepared, Unreadable> {
  const batch = unpack(untrusted);
  if (!batch.ok) return fail({ code: "malformed", reason: batch.error });
  const { header, lines } = batch.value;
  const rows: Row[] = [];
  const leaves: Buffer[] = [];
  for (const [at, record] of lines.entries()) {
    const index = header.from + at;
    const entry = readEntryFast(record.entry);
    if (!entry.ok) return fail({ code: "malformed", reason: `record ${index}: ${entry.error}`, header });
    const row = entry.value;
    if (row.index !== index)
      return fail({ code: "malformed", reason: `record ${index}: its entry says it is ${row.index}`, header });
    if (record.salt && record.content) {
      row.salt = record.salt;
      row.content = record.content;
      if (!commits(record.salt, row.content).equals(row.contentHash))
        return fail({
          code: "hash",
          reason: `record ${index}: its content is not the one its entry commits to`,
          header,
        });
      project(row, record.content.toString());
    }
    rows.push(row);
    leaves.push(leafOf(record.entry));
  }
  return ok({ workstation, header, rows, leaves, bytes: untrusted });
}

function commits(salt: Uint8Array, content: Buffer): Buffer {
  const length = salt.length + content.length;
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length * 2);
  scratch.set(salt);
  scratch.set(content, salt.length);
  return sha256(scratch.subarray(0, length));
}

function leafOf(entry: string): Buffer {
  scratch[0] = 0;
  const length = scratch.write(entry, 1, "latin1"); // an entry that was read is plain ASCII
  return sha256(scratch.subarray(0, 1 + length));
}

/** An entry has one spelling, so one expression reads it: what matches is canonical. */
const ENTRY =
  /^\{"content":"([0-9a-f]{64})",(?:"guest":"([a-z0-9][a-z0-9._-]{0,63})",)?"index":(0|[1-9]\d{0,15}),"kind":"([a-z]{2,16}\.[a-z-]{2,32})","severity":"([a-z]+)","time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"\}$/;

/** As shared's `readEntry`, which is asked for the words where this one says no; a property test holds them together. */
export function readEntryFast(untrusted: string): Result<Row> {
  const match = ENTRY.exec(untrusted);
  const severity = match ? SEVERITIES.indexOf(match[5] as (typeof SEVERITIES)[number]) : -1;
  const timeMs = match ? Date.parse(match[6]!) : Number.NaN;
  const index = match ? Number(match[3]) : Number.NaN;
  if (!match || severity < 0 || !Number.isSafeInteger(index) || !isTime(timeMs, match[6]!)) {
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
    contentHash: Buffer.from(match[1]!, "hex"),
    salt: undefined,
    content: undefined,
    marked: undefined,
    body: undefined,
    entry: untrusted,
  });
}

/** 30 February parses, as 2 March. */
const isTime = (ms: number, text: string): boolean => !Number.isNaN(ms) && new Date(ms).toISOString() === text;

/** What search and pages are made from: lossy, never what is proved. */
function project(row: Row, json: string): void {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    row.marked = mark(`the content is no JSON: ${(error as Error).message}`);
    return;
  }
  const { text, body } = Object(value) as { text?: unknown; body?: unknown };
  if (typeof text === "string") row.text = projectedText(text);
  const schema = bodySchema(row.kind);
  if (typeof text !== "string" || typeof body !== "object" || body === null || Array.isArray(body)) {
    const shape = Content.safeParse(value);
    row.marked = mark(`the content: ${shape.success ? "not as it should be" : z.prettifyError(shape.error)}`);
  } else if (!schema) {
    row.marked = `this console does not know the kind ${row.kind}`;
  } else {
    const read = schema.safeParse(body);
    if (!read.success) row.marked = mark(`the body: ${z.prettifyError(read.error)}`);
    else if (LOOKED_INTO.has(row.kind)) row.body = read.data;
  }
}

const MARK_CHARS_MAX = 1024;
const mark = (reason: string): string => projectedText(reason.slice(0, MARK_CHARS_MAX));

/** Postgres' text holds no U+0000 and no lone surrogate. */
export function projectedText(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX * 2 ? text.slice(0, TEXT_CHARS_MAX * 2) : text;
  return (cut.includes("\u0000") ? cut.replaceAll("\u0000", "\u2400") : cut).toWellFormed();
}
