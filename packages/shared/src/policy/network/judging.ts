/** What the deny overlay and the rules say of a packet, as nftables: the chains `out` and `in`. Pure. */
import { type DeniedFar, denyCounter, type Firewall, type FirewallRule, ruleCounter } from "./firewall.ts";
import { bothFamilies, farSide } from "./nft.ts";
import type { Span } from "./windows.ts";

/** Each direction has a half of a connection's mark: how it is written, and what of the mark it leaves. */
const HALF = {
  out: { mask: "0x0000ffff", rest: "0xffff0000", of: (mark: number) => `0x${mark.toString(16).padStart(8, "0")}` },
  in: { mask: "0xffff0000", rest: "0x0000ffff", of: (mark: number) => `0x${mark.toString(16).padStart(4, "0")}0000` },
} as const;

/** What the overlay denies is asked before anything lets a packet by. Established connections go by while the rule that
 *  let them begin still would: its mark is on them. */
export function judgeLines(firewall: Firewall, direction: "out" | "in"): string[] {
  const other = direction === "out" ? "in" : "out";
  return [
    ...firewall.denied.flatMap((each) => denyLines(each, direction)),
    ...standing(firewall, "original", direction),
    ...standing(firewall, "reply", other),
    "ct state invalid goto drop-invalid",
    ...firewall.rules.filter((rule) => rule.direction === direction).flatMap(matchLines),
    ...(firewall.otherwise === "block"
      ? [`goto drop-otherwise-${direction}`]
      : [markLine(direction, firewall.generation), "return"]),
  ];
}

function standing({ generation, rules }: Firewall, flow: "original" | "reply", half: "out" | "in"): string[] {
  const { mask, of } = HALF[half];
  const line = (mark: number, when: string) =>
    `ct state established,related ct direction ${flow} ct mark and ${mask} == ${of(mark)} ${when}return`;
  const windowed = rules.filter(
    (rule) => rule.direction === half && rule.verdict === "allow" && rule.mark !== generation,
  );
  return [
    line(generation, ""),
    ...windowed.flatMap((rule) => timeMatch(rule.spans).map((when) => line(rule.mark, when))),
  ];
}

/** On a connection, by the direction in which it was let through. */
export const markLine = (direction: "out" | "in", mark: number): string =>
  `ct mark set ct mark and ${HALF[direction].rest} or ${HALF[direction].of(mark)}`;

/** One line a family of addresses; none where a rule can match nothing at all. */
function matchLines(rule: FirewallRule): string[] {
  const addresses = rule.far === "any" ? [""] : bothFamilies(rule.far, farSide(rule.direction)[0]);
  return addresses.flatMap((address) =>
    timeMatch(rule.spans).map((when) => `${address}${portMatch(rule)}${when}goto ${ruleCounter(rule.number)}`),
  );
}

/** Either way: what goes to its port, and what comes from it. */
function denyLines(each: DeniedFar, direction: "out" | "in"): string[] {
  const [side, end] = farSide(direction);
  return bothFamilies(each.far, side).map((far) => `${far}${denyPort(each, end)}goto ${denyCounter(each)}`);
}

function denyPort({ protocol, port }: DeniedFar, end: string): string {
  if (port === undefined) return protocol === "any" ? "" : `meta l4proto ${protocol} `;
  return protocol === "any" ? `meta l4proto { tcp, udp } th ${end} ${port} ` : `${protocol} ${end} ${port} `;
}

function portMatch({ protocol, ports }: FirewallRule): string {
  const set =
    ports === "any" ? "" : `{ ${ports.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(", ")} } `;
  switch (protocol) {
    case "tcp":
    case "udp":
      return ports === "any" ? `meta l4proto ${protocol} ` : `${protocol} dport ${set}`;
    case "icmp":
      return "meta l4proto { icmp, ipv6-icmp } ";
    case "any":
      return ports === "any" ? "" : `meta l4proto { tcp, udp } th dport ${set}`;
  }
}

/** A match of one of the spans; no line at all where there is none. */
const timeMatch = (spans: readonly Span[] | "always"): string[] =>
  spans === "always"
    ? [""]
    : spans.length === 0
      ? []
      : [`meta time { ${spans.map(({ from, to }) => `"${from}"-"${to}"`).join(", ")} } `];
