/** Observation → what the spool writes, short of an index. */

import { hash, randomFillSync } from "node:crypto";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { CONTENT_BYTES_MAX, SALT_BYTES, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { givesWay } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import { sha256 } from "../dom0/crypto.ts";
import { MALFORMED_BYTES_MAX } from "../limits.ts";
import type { Way } from "./store.ts";

export type Prepared = {
  kind: string;
  severity: Severity;
  time: number;
  guest: GuestId | undefined;
  way: Way;
  content: Buffer;
};

/** What was prepared before there was a parcel of it. */
const ahead = new WeakMap<Observation, Prepared>();

/** Where many large ones come in one parcel: one at each turn, so that nobody waits for all of them. */
export function* prepareAhead(observations: readonly Observation[]): Generator<undefined, void> {
  for (const observation of observations) {
    ahead.set(observation, prepare(observation));
    yield;
  }
}

/** A body that JSON cannot say exactly, or that is too large, is a mistake of the source: what it meant is kept,
 *  bounded, as `agent.malformed`, and those behind it are not held up. */
export function prepare(observation: Observation): Prepared {
  const known = ahead.get(observation);
  if (known) return known;
  const { kind, severity, time, guest } = observation;
  try {
    const content = Buffer.from(canonicalText({ body: observation.body, text: line(observation.text) }));
    if (content.length > CONTENT_BYTES_MAX) throw new RangeError(`a content of ${content.length} bytes`);
    return { kind, severity, time: moment(time), guest, way: givesWay(kind), content };
  } catch (error) {
    return prepare(malformed(observation, (error as Error).message));
  }
}

const line = (text: string): string =>
  text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX - 1).toWellFormed()}…` : text;

/** Entries carry years 0000 to 9999; a clock beyond that is shown at the edge of it. */
const moment = (time: number): number =>
  Number.isFinite(time) ? Math.min(Math.max(Math.trunc(time), 0), 253_402_300_799_999) : 0;

function malformed(observation: Observation, why: string): Observation<"agent.malformed"> {
  const raw = Buffer.from(asText(observation.body), "utf8");
  return {
    kind: "agent.malformed",
    severity: "warning",
    time: observation.time,
    ...(observation.guest ? { guest: observation.guest } : {}),
    text: `A ${observation.kind} record could not be written: ${escapeForDisplay(why)}`.slice(0, 512),
    body: {
      source: observation.kind,
      reason: why.toWellFormed().slice(0, 512).toWellFormed(),
      bytes: raw.length,
      rawBase64: raw.subarray(0, MALFORMED_BYTES_MAX).toString("base64"),
      truncated: raw.length > MALFORMED_BYTES_MAX,
    },
  };
}

function asText(body: unknown): string {
  try {
    return JSON.stringify(body) ?? "";
  } catch {
    return ""; // a bigint, or a circle: the reason says so
  }
}

/** Salts are drawn many at a time: a call into the kernel each would be the dearest part of a short record. */
const pool = new Uint8Array(SALT_BYTES * 256);
let used = pool.length;

export function freshSalt(): Uint8Array {
  if (used >= pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const salt = pool.slice(used, used + SALT_BYTES);
  pool.fill(0, used, used + SALT_BYTES);
  used += SALT_BYTES;
  return salt;
}

/** What is hashed is laid out here: a buffer for each would be work for the collector. An entry always fits. */
let scratch = Buffer.allocUnsafe(64 * 1024);

/** The entry's canonical text and its leaf. Each member is plain ASCII by its schema, so the canonical form is written
 *  as it stands (prepare.test.ts holds it to shared's): this runs for each record. */
export function indexed(prepared: Prepared, index: number, salt: Uint8Array): { entry: string; leaf: Uint8Array } {
  const { kind, severity, guest, content } = prepared;
  const length = salt.length + content.length;
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length * 2);
  scratch.set(salt);
  content.copy(scratch, salt.length);
  const salted = scratch.subarray(0, length);
  const time = new Date(prepared.time).toISOString();
  const entry = `{"content":"${hash("sha256", salted, "hex")}"${guest ? `,"guest":"${guest}"` : ""},"index":${index},"kind":"${kind}","severity":"${severity}","time":"${time}"}`;
  return { entry, leaf: leafOf(entry) };
}

/** shared's leafHash, for an entry that is known to be ASCII. */
export function leafOf(entry: string): Uint8Array {
  scratch[0] = 0;
  return sha256(scratch.subarray(0, 1 + scratch.write(entry, 1, "latin1")));
}
