/** The intermediate form → one nftables table, as text for `nft -f`: it replaces the table whole or not at all. Pure.
 *  Within the chains of rules `return` means allowed in this direction; a packet between guests passes both. */
import { familyOf } from "./address.ts";
import { dropLines, dropSets } from "./drops.ts";
import { ND_FROM_GUEST, ND_TO_GUEST } from "./evaluate.ts";
import {
  BEGUN_BURST,
  BEGUN_PER_SECOND,
  CONNECTIONS_MAX,
  denyCounter,
  denyLabel,
  devicesOf,
  type Firewall,
  type FirewallRule,
  REASONS,
  type Reason,
  ruleCounter,
} from "./firewall.ts";
import { guardLines, sourcesOf } from "./guard.ts";
import { judgeLines, markLine } from "./judging.ts";
import { aboutChain, chain, familyName, guestDevices, pathLines, rangesSet, setOf, TABLE, tableText } from "./nft.ts";

/** `about` is said in the table itself, in ABOUT_CHAIN, a line each. */
export function compile(firewall: Firewall, ...about: readonly string[]): string {
  const link = (direction: "out" | "in") => (firewall.wire === "bridged" ? [`link-${direction}`] : []);
  const chains = [
    chain("forward", [
      hook("forward"),
      ...fromGuests(firewall, ["source"]),
      ...toGuests(firewall, ["known"]),
      ...fromGuests(firewall, [...link("out"), "out"]),
      ...toGuests(firewall, [...link("in"), "in"]),
      ...fromGuests(firewall, ["bound-out"], FIRST),
      ...toGuests(firewall, ["bound-in"], FIRST),
    ]),
    chain("input", [
      hook("input"),
      // untracked is what untracked.ts let by as an answer, and nothing else
      ...["ct state established ct direction reply accept", "ct state untracked accept"].flatMap((reply) =>
        pathLines(firewall.path, "in", reply),
      ),
      ...fromGuests(firewall, ["source", ...link("out"), "own", "out"]),
      ...fromGuests(firewall, ["bound-out"], FIRST),
    ]),
    chain("output", [
      hook("output"),
      ...pathLines(firewall.path, "out", "accept"),
      ...toGuests(firewall, ["known", ...link("in"), "in-own"]),
    ]),
    chain("source", sourceLines(firewall)),
    chain("known", knownOnly(firewall, "oifname")),
    chain("own", [
      ...firewall.own.map(({ protocol, port }) => `${protocol} dport ${port} goto own-port`),
      `icmpv6 type ${setOf(ND_FROM_GUEST.map(String))} accept`,
    ]),
    chain("own-port", [`${FIRST}jump bound-out`, "accept"]),
    chain("in-own", [`icmpv6 type ${setOf(ND_TO_GUEST.map(String))} return`, "goto in"]),
    ...link("out").map((each) => chain(each, linkLines(ND_FROM_GUEST))),
    ...link("in").map((each) => chain(each, linkLines(ND_TO_GUEST))),
    chain("out", judgeLines(firewall, "out")),
    chain("in", judgeLines(firewall, "in")),
    chain("bound-out", boundLines(firewall, "iifname")),
    chain("bound-in", boundLines(firewall, "oifname")),
    ...firewall.denied.map((each) =>
      chain(denyCounter(each), dropLines({ ...firewall, mode: "enforce" }, denyCounter(each), denyLabel(each))),
    ),
    ...firewall.rules.map((rule) => chain(ruleCounter(rule.number), ruleChain(firewall, rule))),
    ...reasonsOf(firewall).map((reason) =>
      chain(`drop-${reason}`, dropLines(firewall, reason, REASONS[reason], directionOf(reason))),
    ),
  ];
  if (about.length > 0) chains.push(aboutChain(...about));
  const counters = [
    ...reasonsOf(firewall),
    ...firewall.denied.map(denyCounter),
    ...firewall.rules.map(({ number }) => ruleCounter(number)),
  ];
  const dropping = [...reasonsOf(firewall), ...firewall.denied.map(denyCounter), ...blocking(firewall)];
  const sets = [...counters.map((counter) => `counter ${counter} { }`), ...dropSets(dropping)];
  // those that name none come first
  return tableText({ family: familyName(firewall), table: TABLE }, sets, chains.reverse());
}

const blocking = ({ rules }: Firewall): string[] =>
  rules.flatMap(({ number, verdict }) => (verdict === "block" ? [ruleCounter(number)] : []));

const HOOKS = ["forward", "input", "output"] as const;
const hook = (name: (typeof HOOKS)[number]): string => `type filter hook ${name} priority filter; policy accept;`;

/** The same table under another name and hooked nowhere: the kernel reads it, and it judges nothing. */
export const asideOf = (text: string, family: "inet" | "bridge", aside: string): string =>
  text
    .replaceAll(new RegExp(`^((?:delete )?table ${family}) ${TABLE}(?= \\{$|$)`, "gm"), `$1 ${aside}`)
    .split("\n")
    .filter((line) => !line.startsWith("    type filter hook "))
    .join("\n");

/** What hooks are in a listing: by chain, as `nft -j` says it. */
export const hooksOf = (family: "inet" | "bridge") =>
  HOOKS.map((name) => ({ name, type: "filter", hook: name, prio: family === "bridge" ? -200 : 0, policy: "accept" }));

const reasonsOf = ({ wire }: Firewall): Reason[] =>
  (Object.keys(REASONS) as Reason[]).filter((reason) => wire === "bridged" || reason !== "other-ethertype");
const directionOf = (reason: Reason) =>
  reason === "otherwise-out" ? "out" : reason === "otherwise-in" ? "in" : undefined;
const fromGuests = (firewall: Firewall, chains: readonly string[], when = ""): string[] =>
  chains.flatMap((to) => guestDevices(firewall).map((device) => `iifname ${device} ${when}jump ${to}`));
const toGuests = (firewall: Firewall, chains: readonly string[], when = ""): string[] =>
  chains.flatMap((to) => guestDevices(firewall).map((device) => `oifname ${device} ${when}jump ${to}`));
/** Of a connection, which the kernel then confirms: one that goes one way alone is `new` for ever. */
const FIRST = "ct status & confirmed == 0 ";

/** On a bridge, what IP needs from the link goes by, and nothing else that is no IP. */
const linkLines = (types: readonly number[]): string[] => [
  "ether type arp accept",
  "ether type != { ip, ip6 } goto drop-other-ethertype",
  `icmpv6 type ${setOf(types.map(String))} ip6 daddr { fe80::/10, ff02::/16 } accept`,
];

/** Asked last, of what passes: what is dropped takes no room. A guest's own count where it began, whoever it goes to; the
 *  one of whom it goes to where the world began. What dom0 begins is not bound. */
const boundLines = ({ vifs }: Firewall, side: "iifname" | "oifname"): string[] =>
  vifs.flatMap((vif) =>
    devicesOf(vif).flatMap((device) => [
      `${side} "${device}" limit rate over ${BEGUN_PER_SECOND}/second burst ${BEGUN_BURST} packets goto drop-connection-limit`,
      `${side} "${device}" ct count over ${CONNECTIONS_MAX} goto drop-connection-limit`,
      `${side} "${device}" accept`,
    ]),
  );

function knownOnly({ vifs }: Firewall, side: "iifname" | "oifname"): string[] {
  const known = vifs.flatMap(devicesOf).map((device) => `"${device}"`);
  return known.length === 0 ? ["jump drop-unknown-vif"] : [`${side} != { ${known.join(", ")} } jump drop-unknown-vif`];
}

function sourceLines(firewall: Firewall): string[] {
  const lines = [...knownOnly(firewall, "iifname")];
  for (const vif of firewall.vifs) {
    const from = `iifname { ${devicesOf(vif)
      .map((device) => `"${device}"`)
      .join(", ")} }`;
    if (vif.mac) lines.push(`${from} ether saddr != ${vif.mac.toLowerCase()} jump drop-spoofed`);
    lines.push(...guardLines(vif, firewall.wire, from));
    if (vif.addresses.length === 0) continue;
    const own = sourcesOf(vif, firewall.wire);
    lines.push(`${from} ip saddr != ${rangesSet(familyOf(own, 4))} jump drop-spoofed`);
    lines.push(`${from} ip6 saddr != ${rangesSet(familyOf(own, 6))} jump drop-spoofed`);
    if (firewall.wire === "bridged")
      lines.push(`${from} arp saddr ip != ${rangesSet(familyOf(own, 4))} jump drop-spoofed`);
  }
  return lines;
}

function ruleChain(firewall: Firewall, rule: FirewallRule): string[] {
  const name = ruleCounter(rule.number);
  if (rule.verdict === "block") return dropLines(firewall, name, rule.label, rule.direction);
  // the mark has a line of its own: a packet that is not tracked has none to set, and ends its line there
  return [`counter name "${name}"`, markLine(rule.direction, rule.mark), "return"];
}
