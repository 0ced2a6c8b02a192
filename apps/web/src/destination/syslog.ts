/** A message as RFC 5424 says it, framed by octets as RFC 5425 (TLS) and RFC 6587 (TCP) count them. Pure. */
import type { Severity } from "@sallyport/shared/record/severity.ts";
import type { Message } from "./message.ts";

/** authpriv */
const FACILITY = 10;
const LEVELS: Readonly<Record<Severity, number>> = {
  critical: 2,
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};
const HOST_CHARS_MAX = 255;
const MSGID_CHARS_MAX = 32;
/** Every receiver of RFC 5425 should take this much. */
export const SYSLOG_BYTES_MAX = 8_192;
/** 32473 is the number that RFC 5612 keeps for examples: this project has none of its own. */
const SD_ID = "sallyport@32473";
const BOM = "\ufeff";

/** PRINTUSASCII without spaces; what is none becomes `_`. */
const header = (text: string, charsMax: number): string =>
  text.replaceAll(/[^\x21-\x7e]/g, "_").slice(0, charsMax) || "-";

/** A value of structured data: RFC 5424, 6.3.3. */
const value = (text: string): string => `"${text.replaceAll(/["\\\]]/g, (char) => `\\${char}`)}"`;

/** `host`: the console's own name. */
export function syslogText({ id, type, time, alert }: Message, host: string): string {
  const priority = FACILITY * 8 + LEVELS[alert.severity];
  const params: [string, string | null][] = [
    ["message", id],
    ["alert", alert.id],
    ["kind", alert.kind],
    ["rule", alert.rule],
    ["severity", alert.severity],
    ["count", String(alert.count)],
    ["workstation", alert.workstation?.name ?? null],
    ["workstationId", alert.workstation?.id ?? null],
    ["record", alert.record && `${alert.record.trail}.${alert.record.index}`],
    ["link", alert.link],
  ];
  const data = params.flatMap(([name, text]) => (text === null ? [] : [`${name}=${value(text)}`])).join(" ");
  const head = `<${priority}>1 ${time.toISOString()} ${header(host, HOST_CHARS_MAX)} sallyport - ${header(type === "test" ? type : alert.kind, MSGID_CHARS_MAX)} [${SD_ID} ${data}] `;
  return head + cut(`${BOM}${alert.title}: ${alert.reason}`, SYSLOG_BYTES_MAX - Buffer.byteLength(head));
}

/** At most so many bytes of UTF-8, cut between characters. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}

/** MSG-LEN SP SYSLOG-MSG */
export function framed(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}
