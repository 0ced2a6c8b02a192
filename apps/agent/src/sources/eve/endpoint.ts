/** Who talked to whom, as the record's own fields; what does not fit them is still in `event`. */
import type { JsonObject } from "./json.ts";

export type Endpoint = {
  source?: string;
  sourcePort?: number;
  destination?: string;
  destinationPort?: number;
  protocol?: string;
};

export function endpointOf(event: JsonObject, protocol: string | undefined): Endpoint {
  const found: Endpoint = {};
  const source = textOf(event.src_ip, 64);
  const destination = textOf(event.dest_ip, 64);
  if (source !== undefined) found.source = source;
  if (destination !== undefined) found.destination = destination;
  if (isPort(event.src_port)) found.sourcePort = event.src_port;
  if (isPort(event.dest_port)) found.destinationPort = event.dest_port;
  if (protocol !== undefined) found.protocol = protocol;
  return found;
}

/** `10.0.0.5:1234 → 1.2.3.4:443 tcp`; nothing where nobody is named. */
export function endpointWords(end: Endpoint): string {
  const from = place(end.source, end.sourcePort);
  const to = place(end.destination, end.destinationPort);
  const both = from || to ? `${from || "?"} → ${to || "?"}` : "";
  return [both, end.protocol?.toLowerCase()].filter(Boolean).join(" ");
}

function place(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return "";
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The text itself, where it is one and not longer. */
export const textOf = (value: unknown, charsMax: number): string | undefined =>
  typeof value === "string" && value.length <= charsMax ? value : undefined;

export const isPort = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535;

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
