/** Frames as bytes: what a guest may put on a bridge, true or forged. Checksums are left out: no one on this wire reads
 *  them. */

import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import type { Packet } from "@sallyport/shared/policy/network/evaluate.ts";

/** As the evaluator sees it, and how it is put on the wire. `behind`: an IPv6 extension header (destination options). */
export type Frame = Omit<Packet, "from" | "to" | "state" | "flow" | "marks" | "at"> & {
  toMac: string;
  token: number;
  behind?: boolean;
};

const hex = (value: bigint | number, bytes: number): string => value.toString(16).padStart(bytes * 2, "0");
const macHex = (mac: string): string => mac.replaceAll(":", "");
export const addressHex = (address: string): string => hex(rangeOf(address).from, address.includes(":") ? 16 : 4);

/** Digits of it, so that no frame is too short. */
const PADDING = 40;
export const PROTOCOL = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58, other: 47 } as const;
export const OPTIONS = 60;
const FRAGMENT = 44;

export function bytesOf(frame: Frame): string {
  const ethernet = macHex(frame.toMac) + macHex(frame.mac);
  const end = hex(frame.token, 4);
  if (frame.ethertype === "other") return `${ethernet}88b5${"00".repeat(60)}${end}`;
  if (frame.ethertype === "arp") return ethernet + arp(frame) + "00".repeat(30) + end;
  const transport = transportOf(frame);
  return frame.source.includes(":")
    ? `${ethernet}86dd${six(frame, transport)}${end}`
    : `${ethernet}0800${four(frame, transport)}${end}`;
}

function arp({ arp }: Frame): string {
  const { plain, mac, address } = arp!;
  return `0806${plain ? "0001" : "0006"}080006040001${macHex(mac)}${addressHex(address)}${"00".repeat(6)}0a050003`;
}

function four({ source, destination, protocol }: Frame, transport: string): string {
  const length = 20 + transport.length / 2 + PADDING / 2 + 4;
  return `4500${hex(length, 2)}0000000040${hex(PROTOCOL[protocol], 1)}0000${addressHex(source)}${addressHex(destination)}${transport}${"0".repeat(PADDING)}`;
}

/** The token lies behind what the header counts, as padding does. */
function six(frame: Frame, transport: string): string {
  const { source, destination, protocol, behind, fragmentOf } = frame;
  let next: number = PROTOCOL[protocol];
  let rest = transport;
  if (behind) {
    rest = `${hex(next, 1)}00010400000000${rest}`;
    next = OPTIONS;
  }
  if (fragmentOf !== undefined) {
    // the first of more
    rest = `${hex(fragmentOf, 1)}00000100000001${rest}`;
    next = FRAGMENT;
  }
  return `60000000${hex(rest.length / 2, 2)}${hex(next, 1)}ff${addressHex(source)}${addressHex(destination)}${rest}${"0".repeat(PADDING)}`;
}

function transportOf(frame: Frame): string {
  const { protocol, sourcePort = 0, destinationPort = 0, icmpType = 0 } = frame;
  const ports = hex(sourcePort, 2) + hex(destinationPort, 2);
  switch (protocol) {
    case "tcp":
      return `${ports}${"00".repeat(8)}50020000${"00".repeat(4)}`;
    case "udp":
      return `${ports}00080000`;
    case "icmp":
      return `${hex(icmpType, 1)}00000000010001`;
    case "icmpv6":
      return discovery(frame) ?? `${hex(icmpType, 1)}00000000010001`;
    case "other":
      return "00".repeat(8);
  }
}

function discovery({ icmpType, neighbour }: Frame): string | undefined {
  if (!neighbour || icmpType === undefined) return undefined;
  const { target, option } = neighbour;
  const body = target === undefined ? "" : addressHex(target);
  return `${hex(icmpType, 1)}00000000000000${body}${option ? `${hex(option.type, 1)}01${macHex(option.mac)}` : ""}`;
}
