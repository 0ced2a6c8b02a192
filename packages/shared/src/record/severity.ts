/** How bad a record is, one scale for every source. */
import { z } from "zod";

export const Severity = z.enum(["debug", "info", "notice", "warning", "error", "critical"]);
export type Severity = z.infer<typeof Severity>;

/** Grows at the end only: the console stores the place as a number. */
export const SEVERITIES = Severity.options;

/** Syslog's 0..7 (RFC 5424 table 2) on our scale; emergency, alert and critical are one. */
export function severityOfSyslog(level: number): Severity {
  if (level <= 2) return "critical";
  return (["error", "warning", "notice", "info", "debug"] as const)[level - 3] ?? "info";
}

/** Suricata's 1 (worst) to 4. */
export function severityOfIds(level: number): Severity {
  return (["critical", "error", "warning", "notice"] as const)[level - 1] ?? "notice";
}
