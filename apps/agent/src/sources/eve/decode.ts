/** One line of Suricata's EVE output → `ids.alert` or `ids.event`, or `agent.malformed` with its bytes.
 *  Format: Suricata 7 user guide, "EVE JSON Format". */
import { canonicalBytes } from "@sallyport/shared/base/canonical.ts";
import { CONTENT_BYTES_MAX } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { type Severity, severityOfIds } from "@sallyport/shared/record/severity.ts";
import { oneLine, readText } from "../bytes.ts";
import { malformed } from "../malformed.ts";
import { endpointOf, isCount, textOf } from "./endpoint.ts";
import { type JsonObject, parseObject } from "./json.ts";
import { eventWords } from "./words.ts";

/** Suricata's longest lines are 132 kB; a longer one is kept in parts as `agent.malformed`. */
export const EVE_LINE_BYTES_MAX = 180 * 1024;
/** Up to this size a record fits its bound, whatever its numbers grow to. */
const SURELY_FITS_BYTES = 40 * 1024;
const ENVELOPE_BYTES = 8 * 1024;

/** Every event begins so; one that stands inside a line follows one that was torn when Suricata was killed. */
const BEGIN = '{"timestamp":"';

export type EveLine = { bytes: Buffer; from: string };

/** One observation, two where a torn line and a whole one stand behind each other; none for an empty line. */
export function decodeEve({ bytes, from }: EveLine, now: number): Observation[] {
  if (bytes.length === 0) return [];
  const { text, exact } = readText(bytes);
  const line = text.trim();
  const event = observe(line, bytes, exact, now);
  if (typeof event !== "string") return [event];
  const second = exact ? text.lastIndexOf(BEGIN) : -1;
  if (second > 0) {
    const whole = observe(text.slice(second), bytes, true, now);
    const torn = bytes.subarray(0, Buffer.byteLength(text.slice(0, second)));
    if (typeof whole !== "string") return [unread(torn, from, "a torn line before the next event", now), whole];
  }
  return [unread(bytes, from, event, now)];
}

const unread = (bytes: Buffer, from: string, reason: string, now: number) =>
  malformed({ source: "eve", from, reason, bytes }, now);

/** The event's observation, or why there is none. */
function observe(line: string, bytes: Buffer, utf8: boolean, now: number): Observation | string {
  const parsed = parseObject(line);
  if (!parsed.ok) return parsed.error;
  const { object, exact } = parsed.value;
  if (typeof object.event_type !== "string") return "no event_type";
  // what could not be said exactly is kept beside it
  const event = utf8 && exact ? object : { ...object, _rawBase64: bytes.toString("base64") };
  const observation = observationOf(event, object.event_type, now);
  if (bytes.length > SURELY_FITS_BYTES) {
    const size = canonicalBytes(observation.body).length + ENVELOPE_BYTES;
    if (size > CONTENT_BYTES_MAX) return `${size} bytes as a record, more than ${CONTENT_BYTES_MAX}`;
  }
  return observation;
}

function observationOf(event: JsonObject, type: string, now: number): Observation<"ids.alert" | "ids.event"> {
  const end = endpointOf(event, textOf(event.proto, 32));
  const flow = flowOf(event.flow_id);
  const common = { ...end, ...(flow !== undefined && { flow }), eventTime: textOf(event.timestamp, 64) ?? "" };
  const text = oneLine(eventWords(event, type, end));
  const alert = event.alert as JsonObject | undefined;
  if (type === "alert" && typeof alert?.signature === "string" && isCount(alert.signature_id)) {
    return {
      kind: "ids.alert",
      severity: severityOfIds(Number(alert.severity)),
      time: now,
      text,
      body: {
        ...common,
        signature: alert.signature,
        signatureId: alert.signature_id,
        ...(isCount(alert.gid) && { generator: alert.gid }),
        ...(isCount(alert.rev) && { revision: alert.rev }),
        ...(typeof alert.category === "string" && { category: alert.category }),
        ...(typeof alert.action === "string" && alert.action.length <= 32 && { action: alert.action }),
        event,
      },
    };
  }
  return {
    kind: "ids.event",
    severity: severityOf(type),
    time: now,
    text,
    body: { ...common, type: type.slice(0, 64).toWellFormed(), event },
  };
}

function flowOf(flow: unknown): string | undefined {
  if (typeof flow === "number") return String(flow);
  return textOf(flow, 32);
}

function severityOf(type: string): Severity {
  switch (type) {
    case "alert":
    case "anomaly":
    case "drop":
      return "notice";
    case "stats":
      return "debug";
    default:
      return "info";
  }
}
