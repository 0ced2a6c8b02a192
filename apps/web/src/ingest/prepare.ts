/** Untrusted bytes → a batch whose entries read and whose contents fit them, or the reason why not. CPU only, no I/O;
 *  the checkpoint is judged later, once for all that is committed together. */
import { hash as digest } from "node:crypto";
import { JSON_DEPTH_MAX } from "@sallyport/shared/base/canonical.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { Content, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import type { BatchHeader } from "@sallyport/shared/wire/batch.ts";
import { z } from "zod";
import { LOOKED_INTO } from "../alert/raise.ts";
import { hash } from "../trail/crypto.ts";
import { type Rows, RowsWriter } from "./copy.ts";
import { isShallow, plainlyFits } from "./shape.ts";
import { unpack } from "./unpack.ts";

/** One record, checked, beside its bytes. `body` only of a kind that is looked into, with its shape. */
export type Row = {
  index: number;
  timeMs: number;
  kind: string;
  severity: number;
  guest: string | undefined;
  text: string;
  /** 64 hex digits. */
  contentHash: string;
  marked: string | undefined;
  body: unknown;
};

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

export function prepare(workstation: WorkstationId, untrusted: Uint8Array): Result<Prepared, Unreadable> {
  const batch = unpack(untrusted);
  if (!batch.ok) return fail({ code: "malformed", reason: batch.error });
  const { header, lines, bytes } = batch.value;
  const rows = new RowsWriter(bytes + lines.length * ROW_BYTES);
  const lookedInto: Row[] = [];
  const entries: string[] = [];
  let newestMs = 0;
  const leaves: Uint8Array[] = [];
  for (const [at, record] of lines.entries()) {
    const index = header.from + at;
    const entry = readEntryFast(record.entry);
    if (!entry.ok) return fail({ code: "malformed", reason: `record ${index}: ${entry.error}`, header });
    const row = entry.value;
    if (row.index !== index)
      return fail({ code: "malformed", reason: `record ${index}: its entry says it is ${row.index}`, header });
    if (record.salt && record.content) {
      if (commits(record.salt, record.content) !== row.contentHash)
        return fail({
          code: "hash",
          reason: `record ${index}: its content is not the one its entry commits to`,
          header,
        });
      project(row, record.content.toString());
    }
    rows.add(row, record.salt, record.content);
    if (row.body !== undefined) lookedInto.push(row);
    newestMs = row.timeMs;
    entries.push(record.entry);
    leaves.push(leafOf(record.entry));
  }
  return ok({ workstation, header, rows: rows.end(), lookedInto, newestMs, entries, leaves, bytes: untrusted });
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

/** Milliseconds since 1970 of a text that has a time's form; NaN where there is no such moment. In figures alone: two
 *  trips through Date would cost as much as the rest of an entry. */
export function momentOf(text: string): number {
  const number = (from: number, digits: number): number => {
    let value = 0;
    for (let at = from; at < from + digits; at++) value = value * 10 + text.charCodeAt(at) - 48;
    return value;
  };
  const [year, month, day] = [number(0, 4), number(5, 2), number(8, 2)];
  const [hour, minute, second] = [number(11, 2), number(14, 2), number(17, 2)];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  if (month < 1 || month > 12 || day < 1 || day > last || hour > 23 || minute > 59 || second > 59) return Number.NaN;
  // years from March on, so that the leap day is a year's last
  const years = month > 2 ? year : year - 1;
  const days =
    Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) +
    day +
    365 * years +
    Math.floor(years / 4) -
    Math.floor(years / 100) +
    Math.floor(years / 400) -
    DAYS_TO_1970;
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + number(20, 3);
}

/** From 1 March of year 0 to 1 January 1970, and one, since a month's first day is 1. */
const DAYS_TO_1970 = 719_469;

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
  } else if (plainlyFits(row.kind, body)) {
    return;
  } else if (!schema) {
    row.marked = `this console does not know the kind ${row.kind}`;
  } else if (!isShallow(body)) {
    row.marked = `the body: deeper than ${JSON_DEPTH_MAX} levels, or with a number that JSON cannot say`;
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
