/** What a guest may claim besides a packet's source: who has an address (ARP, neighbour discovery), who is the router, who
 *  gives addresses out. As nftables (compile.ts) and as an answer (evaluate.ts). Only a vif with addresses is bound by it:
 *  one without routes for others. Pure. */
import { familyOf, holds, joinRanges, type Range, rangeOf } from "./address.ts";
import type { Reason, Vif, Wire } from "./firewall.ts";
import { setOf } from "./nft.ts";

/** What neighbour discovery says (RFC 4861): `target` of a solicitation or an advertisement; the one option that may
 *  follow, with the card it names. `odd`: behind an extension header, or longer than one option. */
export type Neighbour = { target?: string; option?: { type: number; mac: string }; odd?: boolean };

/** What of a packet the guard looks at. */
export type Claims = {
  /** Absent: IP. */
  ethertype?: "arp" | "other";
  /** `plain`: Ethernet and IPv4, as all of it is. */
  arp?: { plain: boolean; mac: string; address: string };
  neighbour?: Neighbour;
  /** Of an IPv6 fragment: the protocol behind its header. */
  fragmentOf?: number;
};
type Seen = Claims & { source: string; protocol: string; icmpType?: number; sourcePort?: number };

const SOLICIT_ROUTER = 133;
const ROUTER = 134;
const SOLICIT = 135;
const ADVERTISE = 136;
const REDIRECT = 137;
const DISCOVERY = [SOLICIT_ROUTER, ROUTER, SOLICIT, ADVERTISE, REDIRECT];
const SOURCE_CARD = 1;
const TARGET_CARD = 2;
/** RFC 7527: a number by which a guest knows its own question again. It names no card. */
const NONCE = 14;
/** Options by the type of message: where the guest's card may be named, what else may stand there, and the ICMPv6 bytes
 *  before them. */
const OPTIONS: Record<number, { card: number; also: readonly number[]; before: number }> = {
  [SOLICIT_ROUTER]: { card: SOURCE_CARD, also: [], before: 8 },
  [SOLICIT]: { card: SOURCE_CARD, also: [NONCE], before: 24 },
  [ADVERTISE]: { card: TARGET_CARD, also: [], before: 24 },
};
const OPTION_BYTES = 8;
/** What may come in fragments (TCP, UDP, IPv4, IPv6, GRE, ESP, SCTP): discovery never does (RFC 6980), nor does what
 *  another extension header would hide. */
const FRAGMENTS = [4, 6, 17, 41, 47, 50, 132];
/** Where a DHCP server answers from. */
const SERVERS = [67, 547];

const NOTHING_YET: readonly Range[] = ["0.0.0.0", "::"].map(rangeOf);
const LINK_LOCAL = rangeOf("fe80::/10");
const EVERYTHING: readonly Range[] = ["0.0.0.0/0", "::/0"].map(rangeOf);

/** What a guest may call itself: its addresses, none yet, and the link's own. On a bridge the latter is the one that is
 *  made from its card (RFC 4291), since there another guest's would be taken for it; others are listed as addresses. */
export function sourcesOf({ addresses, mac }: Vif, wire: Wire): readonly Range[] {
  if (addresses.length === 0) return EVERYTHING;
  return joinRanges([...addresses.map(rangeOf), ...NOTHING_YET, linkLocalOf(mac, wire)]);
}

/** What it may answer for. */
const targetsOf = ({ addresses, mac }: Vif, wire: Wire): Range[] =>
  familyOf(joinRanges([...addresses.map(rangeOf), linkLocalOf(mac, wire)]), 6);

function linkLocalOf(mac: string | undefined, wire: Wire): Range {
  if (wire === "routed" || mac === undefined) return LINK_LOCAL;
  const [first, ...rest] = mac.split(":").map((each) => Number.parseInt(each, 16));
  const bytes = [first! ^ 2, rest[0]!, rest[1]!, 0xff, 0xfe, ...rest.slice(2)];
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) | (0xfe80n << 112n);
  return { family: 6, from: value, to: value };
}

/** Lines of the chain `source`; `from` matches the vif's devices. */
export function guardLines(vif: Vif, wire: Wire, from: string): string[] {
  const spoofed = (match: string) => `${from} ${match} jump drop-spoofed`;
  const isBound = vif.addresses.length > 0;
  const lines: string[] = [];
  if (wire === "bridged" && (isBound || vif.mac)) {
    // htype, ptype, hlen and plen at once
    lines.push(spoofed("ether type arp @nh,0,48 != 0x000108000604"));
    if (vif.mac) lines.push(spoofed(`arp saddr ether != ${vif.mac.toLowerCase()}`), ...optionLines(vif.mac, spoofed));
  }
  if (!isBound) return lines;
  if (wire === "bridged") {
    const targets = setOf(targetsOf(vif, wire).map(rawText));
    lines.push(
      spoofed(`icmpv6 type ${ADVERTISE} @th,64,128 != ${targets}`),
      spoofed(`ip6 saddr :: icmpv6 type ${SOLICIT} @th,64,128 != ${targets}`),
      spoofed(`frag nexthdr != ${setOf(FRAGMENTS.map(String))}`),
    );
  }
  lines.push(
    `${from} icmpv6 type ${setOf([ROUTER, REDIRECT].map(String))} jump drop-router-guard`,
    `${from} udp sport ${setOf(SERVERS.map(String))} jump drop-dhcp-guard`,
  );
  return lines;
}

function optionLines(mac: string, spoofed: (match: string) => string): string[] {
  const card = `0x${mac.toLowerCase().replaceAll(":", "")}`;
  const word = (type: number) => `0x${type.toString(16).padStart(2, "0")}01`;
  return [
    spoofed(`icmpv6 type ${setOf(DISCOVERY.map(String))} ip6 nexthdr != 58`),
    ...Object.entries(OPTIONS).flatMap(([type, { card: named, also, before }]) => {
      const long = `icmpv6 type ${type} ip6 length ${before + OPTION_BYTES}`;
      const at = before * 8;
      return [
        spoofed(`icmpv6 type ${type} ip6 length != ${setOf([before, before + OPTION_BYTES].map(String))}`),
        spoofed(`${long} @th,${at},16 != ${setOf([named, ...also].map(word))}`),
        spoofed(`${long} @th,${at},16 ${word(named)} @th,${at + 16},48 != ${card}`),
      ];
    }),
  ];
}

/** Every reason there is to drop it, as often as a line says so. */
export function guardReasons(vif: Vif, wire: Wire, packet: Seen): Reason[] {
  const isBound = vif.addresses.length > 0;
  const found: Reason[] = [];
  const spoofedIf = (is: boolean) => void (is && found.push("spoofed"));
  const { arp, neighbour, icmpType } = packet;
  const isDiscovery = packet.protocol === "icmpv6" && icmpType !== undefined && DISCOVERY.includes(icmpType);
  if (wire === "bridged" && packet.ethertype === "arp" && arp) {
    spoofedIf((isBound || vif.mac !== undefined) && !arp.plain);
    spoofedIf(vif.mac !== undefined && arp.mac.toLowerCase() !== vif.mac.toLowerCase());
    spoofedIf(isBound && !holds(sourcesOf(vif, wire), rangeOf(arp.address)));
  }
  if (wire === "bridged" && vif.mac && isDiscovery) spoofedIf(isOdd(vif.mac, icmpType, neighbour));
  if (!isBound || packet.ethertype) return found;
  if (wire === "bridged") {
    const isForeign =
      neighbour?.target !== undefined && !holds(targetsOf(vif, wire), rangeOf(neighbour.target)) && isDiscovery;
    spoofedIf(isForeign && icmpType === ADVERTISE);
    spoofedIf(isForeign && icmpType === SOLICIT && rangeOf(packet.source).from === 0n);
    spoofedIf(packet.fragmentOf !== undefined && !FRAGMENTS.includes(packet.fragmentOf));
  }
  if (isDiscovery && (icmpType === ROUTER || icmpType === REDIRECT)) found.push("router-guard");
  if (packet.protocol === "udp" && SERVERS.includes(packet.sourcePort ?? -1)) found.push("dhcp-guard");
  return found;
}

function isOdd(mac: string, type: number, { option, odd }: Neighbour = {}): boolean {
  if (odd) return true;
  const may = OPTIONS[type];
  if (!option || !may) return false;
  if (option.type === may.card) return option.mac.toLowerCase() !== mac.toLowerCase();
  return !may.also.includes(option.type);
}

const raw = (value: bigint): string => `0x${value.toString(16).padStart(32, "0")}`;
const rawText = ({ from, to }: Range): string => (from === to ? raw(from) : `${raw(from)}-${raw(to)}`);
