/** dom0's way to the broker where the kernel's table of connections is nearly full: a packet that would begin one is then
 *  dropped before any rule, so what dom0 asks of the broker and of names, and what it says to itself, goes by untracked. A
 *  table of its own, `inet` on either wire, since dom0's packets meet IP's hooks first; a bridge tracks answers before IP
 *  does, and has the same table for itself. What was asked is kept in sets that
 *  only dom0's packets enter: an answer is one to a question, as a tracked one would be. Pure. */
import type { BrokerPath, Firewall } from "./firewall.ts";
import { aboutChain, chain, guestDevices, pathLines, tableText } from "./nft.ts";

export const UNTRACKED = { family: "inet", table: "sallyport-untracked" } as const;
export const UNTRACKED_BRIDGE = { ...UNTRACKED, family: "bridge" } as const;
/** Of the hooks' priorities: before connections are tracked. A bridge has no word for it. */
const RAW = -300;
/** From here the way is untracked, and below there tracked again. */
export const NEARLY_FULL = 0.75;
export const ROOM_AGAIN = 0.5;

const ASKED_MAX = 16_384;
/** Longer than a connection to the broker is quiet. */
const ASKED_SECONDS = 600;
const FAMILIES = [
  { set: "asked4", type: "ipv4_addr", ip: "ip" },
  { set: "asked6", type: "ipv6_addr", ip: "ip6" },
] as const;

type Way = Pick<Firewall, "vifs" | "wire"> & { path: BrokerPath };

/** `about` is said in the table itself, in ABOUT_CHAIN. */
export const untracked = (way: Way, about?: string): string =>
  textOf(UNTRACKED, way, about) + (way.wire === "bridged" ? textOf(UNTRACKED_BRIDGE, way, about) : "");

function textOf(name: { family: string; table: string }, { path, vifs }: Way, about: string | undefined): string {
  const sets = FAMILIES.map(
    ({ set, type }) =>
      `set ${set} { type ${type} . inet_proto . inet_service . ${type} . inet_service; size ${ASKED_MAX}; flags dynamic,timeout; timeout ${ASKED_SECONDS}s; }`,
  );
  return tableText(name, sets, [
    chain(
      "ask",
      FAMILIES.map(
        ({ set, ip }) =>
          `update @${set} { ${ip} saddr . meta l4proto . th sport . ${ip} daddr . th dport } notrack accept`,
      ),
    ),
    chain("output", [
      `type filter hook output priority ${RAW}; policy accept;`,
      'oifname "lo" notrack accept',
      ...pathLines(path, "out", "goto ask"),
      // a guest that answers names is asked as the rules have it
      ...guestDevices({ vifs }).map((device) => `oifname ${device} accept`),
      "meta l4proto { tcp, udp } th dport 53 goto ask",
    ]),
    chain("prerouting", [
      `type filter hook prerouting priority ${RAW}; policy accept;`,
      ...FAMILIES.map(
        ({ set, ip }) => `${ip} daddr . meta l4proto . th dport . ${ip} saddr . th sport @${set} notrack accept`,
      ),
    ]),
    ...(about === undefined ? [] : [aboutChain(about)]),
  ]);
}
