/** One line → what it claims. Every line is one: what fits no form is plain. */
import type { Claims, Expected } from "./claims.ts";
import { parseRfc3164 } from "./rfc3164.ts";
import { parseRfc5424 } from "./rfc5424.ts";
import { parseSnare } from "./snare.ts";

/** `untrusted` is one line without its ending; a carriage return or NUL some senders leave there is not part of the
 *  message. */
export function parseLine(untrusted: string, expected: Expected): Claims {
  const line = withoutEnd(untrusted);
  const plain: Claims = { format: "plain", message: line };
  if (expected === "plain") return plain;
  const claims = parseRfc5424(line) ?? parseRfc3164(line, expected) ?? plain;
  return (line.includes("MSWinEventLog") && parseSnare(claims, line)) || claims;
}

/** By hand: a pattern for this takes quadratic time on a line of nothing but carriage returns. */
function withoutEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line.charCodeAt(end - 1) === 13 || line.charCodeAt(end - 1) === 0)) end--;
  return end === line.length ? line : line.slice(0, end);
}
