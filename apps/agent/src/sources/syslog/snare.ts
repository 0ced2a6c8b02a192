/** Snare's Windows events: fields between tabs behind `MSWinEventLog`, inside any syslog line.
 *  Layout: Snare Agent for Windows, "Event log format"; NXLog's `to_syslog_snare()` writes the same. */
import type { Severity } from "@sallyport/shared/record/severity.ts";
import { cut } from "../bytes.ts";
import type { Claims } from "./claims.ts";

const MARK = "MSWinEventLog";
/** In the order they come; the last is free text and may hold tabs. */
const FIELDS = [
  "criticality",
  "log",
  "counter",
  "time",
  "eventId",
  "source",
  "user",
  "sidType",
  "type",
  "computer",
  "category",
  "data",
  "message",
] as const;
const LEAST_FIELDS = 10;

/** The event in a line whose outer form `claims` holds; nothing where there is none. */
export function parseSnare(claims: Claims, line: string): Claims | undefined {
  const at = line.indexOf(MARK);
  if (at < 0) return undefined;
  const after = line.slice(at + MARK.length);
  // rsyslog and others write a tab they relay as #011
  const separator = after.startsWith("\t") ? "\t" : after.startsWith("#011") ? "#011" : undefined;
  if (!separator) return undefined;
  const values = after.split(separator).slice(1);
  if (values.length < LEAST_FIELDS) return undefined;
  const event = new Map<string, string>();
  // newer agents end with a counter or a checksum
  const last = values.length > FIELDS.length ? values.at(-1)! : "";
  const checksum = /^(?:\d{1,12}|[0-9a-fA-F]{32})$/.test(last.trim()) ? values.pop()!.trim() : undefined;
  const text = values.splice(FIELDS.length - 1).join("\t");
  for (const [place, value] of values.entries()) event.set(FIELDS[place]!, value.trim());
  event.set("message", text.trim());
  if (checksum) event.set("checksum", checksum);
  const source = event.get("source");
  return {
    ...claims,
    format: "snare",
    ...(claims.claimedHost === undefined && hostOf(event)),
    ...(source && { app: cut(source, 256) }),
    event: Object.fromEntries(event),
    message: text.trim(),
  };
}

function hostOf(event: Map<string, string>): { claimedHost?: string } {
  const computer = event.get("computer");
  return computer ? { claimedHost: cut(computer, 256) } : {};
}

/** Windows' own word for how bad it is, which the priority often does not carry. */
export function severityOfSnare(type: string | undefined): Severity | undefined {
  switch (type?.toLowerCase()) {
    case "critical":
      return "critical";
    case "error":
      return "error";
    case "warning":
    case "failure audit":
    case "audit failure":
      return "warning";
    default:
      return undefined;
  }
}
