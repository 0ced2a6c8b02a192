/** One line of a guest → `guest.log`. The raw line is always kept; what is read from it shares what room is left. */
import { isUtf8 } from "node:buffer";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import type { GuestLog, GuestVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { type Severity, severityOfSyslog } from "@sallyport/shared/record/severity.ts";
import { cut, jsonBytes, oneLine, readText } from "../bytes.ts";
import type { Claims, Expected } from "./claims.ts";
import { parseLine } from "./line.ts";
import { severityOfSnare } from "./snare.ts";

/** Stamped by the source; a line cannot change it. */
export type Origin = { via: GuestVia; from: string; guest: GuestId };
export type Part = NonNullable<GuestLog["part"]>;

/** Control characters cost six bytes each in JSON, and a line may be said three times (raw, message, fields): up to
 *  this size it fits a record of 256 KiB whatever it holds. */
const SURELY_FITS_BYTES = 12 * 1024;
/** Beyond that: raw at most a base64 of 128 KiB, and these for what was read from it. */
const MESSAGE_JSON_BYTES_MAX = 48 * 1024;
const FIELDS_JSON_BYTES_MAX = 24 * 1024;

export type LineReader = (piece: { bytes: Buffer; part?: Part }, now: number) => Observation<"guest.log">;

/** For one stream or sender: the parts of a long line after its first are read by the header the first one had. */
export function lineReader(origin: Origin, expected: Expected): LineReader {
  let header: Claims | undefined;
  return ({ bytes, part }, now) => {
    const { text } = readText(bytes);
    const goesOn = part && part.number > 1 ? (header ?? parseLine("", "plain")) : undefined;
    const claims: Claims = goesOn ? { ...outer(goesOn), message: text } : parseLine(text, expected);
    header = part && !part.last ? (goesOn ?? claims) : undefined;
    return guestLog({ bytes, text, claims, origin, ...(part && { part }) }, now);
  };
}

/** What holds for every part: not the fields of a first part that was cut. */
function outer({ structured: _, event: __, ...rest }: Claims): Claims {
  return rest;
}

type Line = { bytes: Buffer; text: string; claims: Claims; origin: Origin; part?: Part };

function guestLog({ bytes, text, claims, origin, part }: Line, now: number): Observation<"guest.log"> {
  const raw = isUtf8(bytes) ? { raw: text } : { rawBase64: bytes.toString("base64") };
  const fits = bytes.length <= SURELY_FITS_BYTES;
  return {
    kind: "guest.log",
    severity: severityOf(claims),
    time: now,
    guest: origin.guest,
    text: oneLine(words(claims, part)),
    body: {
      via: origin.via,
      from: cut(origin.from, 256),
      ...(fits ? { ...claims, ...raw } : bounded(claims, bytes, raw)),
      ...(part && { part }),
    },
  };
}

function bounded(claims: Claims, bytes: Buffer, raw: { raw?: string; rawBase64?: string }) {
  const { structured, event, message, ...header } = claims;
  const fields = { ...(structured && { structured }), ...(event && { event }) };
  const small = Buffer.byteLength(JSON.stringify(fields)) <= FIELDS_JSON_BYTES_MAX;
  // text of many control characters is smaller in base64
  const asText = raw.raw !== undefined && jsonBytes(raw.raw) <= Math.ceil(bytes.length / 3) * 4;
  return {
    ...header,
    ...(small && fields),
    message: shortened(message),
    ...(asText ? raw : { rawBase64: bytes.toString("base64") }),
  };
}

/** A message that would not fit ends in `…`; the whole of it is in the raw line. */
function shortened(message: string): string {
  if (jsonBytes(message) <= MESSAGE_JSON_BYTES_MAX) return message;
  let chars = Math.min(message.length, MESSAGE_JSON_BYTES_MAX);
  while (jsonBytes(message.slice(0, chars)) > MESSAGE_JSON_BYTES_MAX - 8) chars = Math.floor(chars * 0.75);
  return `${cut(message, chars)}…`;
}

function severityOf(claims: Claims): Severity {
  const bySnare = claims.format === "snare" ? severityOfSnare(claims.event?.type) : undefined;
  return bySnare ?? (claims.level === undefined ? "info" : severityOfSyslog(claims.level));
}

function words(claims: Claims, part: Part | undefined): string {
  const message = claims.message === "" ? "(empty line)" : claims.app ? claims.message.trimStart() : claims.message;
  const mark = part ? `[part ${part.number}${part.last ? ", last" : ""}] ` : "";
  if (claims.format === "snare") return `${mark}${claims.event?.eventId} ${claims.app ?? ""}: ${message}`;
  const process = claims.process ? `[${claims.process}]` : "";
  return `${mark}${claims.app ? `${claims.app}${process}: ` : ""}${message}`;
}
