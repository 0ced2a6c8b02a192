/** RFC 3164 describes what was seen in the field, and the field went on: each part here may be missing. */
import type { Claims, Expected } from "./claims.ts";
import { readPriority } from "./priority.ts";

const MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
/** `Nov  4 09:00:00`, with year or fraction where a router was told so; `*` and `.` are Cisco's marks of a clock that
 *  is not set; a zone only where a colon ends the date, else it would be a host. */
const OLD_DATE = new RegExp(
  `^[*.]?(${MONTH} (?: \\d|\\d{1,2})(?: \\d{4})? \\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,9})?(?: [A-Z]{2,5}(?=:))?)(?::|(?= )|$)`,
);
/** As rsyslog and systemd write it when asked for a precise one. */
const ISO_DATE = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)(?::|(?= )|$)/;
/** `app:` or `app[pid]:`; a word that no colon ends is no tag. */
const TAG = /^([^\s[\]:]{1,128})(?:\[([^\]\s]{0,128})\])?:(?: |$)/;
const HOST = /^(\S{1,255})(?: |$)/;

/** Nothing where the line has neither a priority nor a date. */
export function parseRfc3164(line: string, expected: Expected = "any"): Claims | undefined {
  const priority = readPriority(line);
  let rest = priority ? line.slice(priority.length) : line;
  // Cisco numbers its lines before the date
  const date = readDate(rest) ?? (priority && readDate(rest.replace(/^\d{1,10}: /, "")));
  if (!priority && !date) return undefined;
  const claims: Claims = { format: "rfc3164", message: "" };
  if (priority) {
    claims.facility = priority.facility;
    claims.level = priority.level;
  }
  if (date) {
    claims.claimedTime = date.time;
    rest = date.rest;
    const host = expected === "hostless" || TAG.test(rest) ? null : HOST.exec(rest);
    if (host) {
      claims.claimedHost = host[1];
      rest = rest.slice(host[0].length);
    }
  }
  const tag = TAG.exec(rest);
  if (tag) {
    claims.app = tag[1];
    if (tag[2]) claims.process = tag[2];
    rest = rest.slice(tag[0].length);
  }
  claims.message = rest;
  return claims;
}

/** The date as it stands, and what follows the one space behind it. */
function readDate(text: string): { time: string; rest: string } | undefined {
  const code = text.charCodeAt(0);
  const found = code >= 0x30 && code <= 0x39 ? ISO_DATE.exec(text) : OLD_DATE.exec(text);
  if (!found?.[1]) return undefined;
  const after = text.slice(found[0].length);
  return { time: found[1], rest: after.startsWith(" ") ? after.slice(1) : after };
}
