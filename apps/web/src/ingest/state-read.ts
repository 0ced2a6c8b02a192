/** What a workstation says of its state → a value that is signed and can be stored, or why it is none. Pure. */
import { fromUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readJson } from "@sallyport/shared/base/json.ts";
import { REPORTED_CHARS_MAX, Reported } from "@sallyport/shared/state/reported.ts";
import { isSignedBy, readSigned } from "@sallyport/shared/trail/signed.ts";
import { PRESENCE_BYTES_MAX, Presence } from "@sallyport/shared/wire/presence.ts";
import { verify } from "../trail/crypto.ts";

/** What a machine says of its own time, where the database and the pages can follow. */
const TIME_MIN = "1970-01-01T00:00:00Z";

type Read<T> = { ok: true; value: T } | { ok: false; error: string };

export function readPresence(untrusted: Uint8Array): Read<Presence> {
  if (untrusted.length > PRESENCE_BYTES_MAX)
    return { ok: false, error: `a presence of ${untrusted.length} bytes; at most ${PRESENCE_BYTES_MAX}` };
  const json = readText(untrusted, PRESENCE_BYTES_MAX);
  if (!json.ok) return { ok: false, error: `the presence: ${json.error}` };
  const presence = Presence.safeParse(json.value);
  if (!presence.success)
    return { ok: false, error: `the presence: ${presence.error.issues[0]?.message ?? "not as it should be"}` };
  const fault = timeFault(presence.data.at);
  return fault ? { ok: false, error: `the presence: ${fault}` } : { ok: true, value: presence.data };
}

export function readReported(workstation: WorkstationId, trailKey: Uint8Array, untrusted: Uint8Array): Read<Reported> {
  const json = readText(untrusted, REPORTED_CHARS_MAX * 2);
  if (!json.ok) return { ok: false, error: `the report: ${json.error}` };
  const read = readSigned(Reported, json.value);
  if (!read.ok) return { ok: false, error: `the report: ${read.error}` };
  const { signed, value } = read.value;
  if (!isSignedBy(verify, trailKey, "sallyport/reported/1", signed))
    return { ok: false, error: "the report is not signed by the workstation's key" };
  if (value.workstation !== workstation) return { ok: false, error: `the report is of ${value.workstation}` };
  const fault = timeFault(value.at);
  if (fault) return { ok: false, error: `the report: ${fault}` };
  return { ok: true, value };
}

/** A time is written with four digits of year: none is after 9999. */
const timeFault = (at: string): string | undefined =>
  Date.parse(at) >= Date.parse(TIME_MIN) ? undefined : `it says it is of ${at}, before 1970`;

function readText(untrusted: Uint8Array, charactersMax: number): Read<unknown> {
  try {
    return readJson(fromUtf8(untrusted), charactersMax);
  } catch {
    return { ok: false, error: "not UTF-8" };
  }
}
