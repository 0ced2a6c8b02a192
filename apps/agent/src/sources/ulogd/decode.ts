/** One line of ulogd2's JSON output (NFLOG) → `net.drop`, or `agent.malformed` with its bytes. Its stamp names no
 *  zone; `oob.time.sec` beside it is the kernel's. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { oneLine, readText } from "../bytes.ts";
import { endpointOf, endpointWords, isCount, textOf } from "../eve/endpoint.ts";
import { type JsonObject, parseObject } from "../eve/json.ts";
import { malformed } from "../malformed.ts";

export const ULOGD_LINE_BYTES_MAX = 40 * 1024;

/** IANA protocol numbers that a firewall meets; others stay numbers. */
const PROTOCOLS: Record<number, string> = {
  1: "icmp",
  2: "igmp",
  6: "tcp",
  17: "udp",
  41: "ipv6",
  47: "gre",
  50: "esp",
  51: "ah",
  58: "icmpv6",
  89: "ospf",
  132: "sctp",
};
/** One of them is in whatever ulogd2 writes of a packet. */
const OF_A_PACKET = ["oob.prefix", "oob.in", "oob.hook", "raw.pktlen", "ip.protocol", "src_ip"];

export type UlogdLine = { bytes: Buffer; from: string };

/** One observation; none for an empty line. */
export function decodeUlogd({ bytes, from }: UlogdLine, now: number): Observation[] {
  if (bytes.length === 0) return [];
  const unread = (reason: string) => [malformed({ source: "ulogd", from, reason, bytes }, now)];
  const { text, exact: utf8 } = readText(bytes);
  const parsed = parseObject(text);
  if (!parsed.ok) return unread(parsed.error);
  const { object, exact } = parsed.value;
  if (!OF_A_PACKET.some((name) => Object.hasOwn(object, name))) return unread("nothing of a packet in it");
  return [dropOf(utf8 && exact ? object : { ...object, _rawBase64: bytes.toString("base64") }, now)];
}

function dropOf(event: JsonObject, now: number): Observation<"net.drop"> {
  const number = event["ip.protocol"];
  const protocol = typeof number === "number" ? (PROTOCOLS[number] ?? String(number)) : undefined;
  const end = endpointOf(event, protocol);
  const from = nameOf(event["oob.in"], 64);
  const to = nameOf(event["oob.out"], 64);
  const rule = nameOf(event["oob.prefix"], 128);
  const bytes = event["raw.pktlen"] ?? event["ip.totlen"];
  // the firewall's audit mode logs what it lets pass (docs/firewall.md)
  const what = rule?.startsWith("audit ") ? "would be dropped" : "dropped";
  const words = [what, endpointWords(end), from && `in ${from}`, to && `out ${to}`, rule && `by ${rule}`];
  return {
    kind: "net.drop",
    severity: "notice",
    time: now,
    text: oneLine(words.filter(Boolean).join(" ")),
    body: {
      ...end,
      ...(from && { in: from }),
      ...(to && { out: to }),
      ...(rule && { rule }),
      ...(isCount(bytes) && { bytes }),
      event,
    },
  };
}

/** Trimmed; nothing where it is empty or too long. */
const nameOf = (value: unknown, charsMax: number): string | undefined => textOf(value, charsMax)?.trim() || undefined;
