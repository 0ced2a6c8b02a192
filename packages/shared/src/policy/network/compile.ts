/** The intermediate form → one nftables table, as text for `nft -f`: it replaces the table whole or not at all. Pure.
 *  Within the chains of rules `return` means allowed in this direction; a packet between guests passes both. */
import { familyOf, joinRanges, type Range } from "./address.ts";
import { ND_FROM_GUEST, ND_TO_GUEST } from "./evaluate.ts";
import {
  BEGUN_BURST,
  BEGUN_PER_SECOND,
  CONNECTIONS_MAX,
  type DeniedFar,
  denyCounter,
  denyLabel,
  devicesOf,
  type Firewall,
  type FirewallRule,
  REASONS,
  type Reason,
  ruleCounter,
  VIF_PREFIX,
} from "./firewall.ts";
import { guardLines, rangesSet, sourcesOf } from "./guard.ts";
import type { Span } from "./windows.ts";

export const TABLE = "sallyport";
/** The group ulogd2 listens on. */
export const NFLOG_GROUP = 5;
/** Of each reason and each pair of devices, so that what one guest tries hides nothing of another: enough to see what it
 *  is, too little to fill a disk. Counters count every packet. */
export const LOGGED_PER_SECOND = 10;
export const LOGGED_BURST = 30;

/** Pairs of devices that one reason is counted for at a time, and how long a pair that is quiet is remembered. */
const PAIRS_MAX = 1_024;
const PAIR_SECONDS = 60;

/** A chain that no packet goes through: it says of which text the table is, so that a look at it tells. */
export const ABOUT_CHAIN = "about";

export const familyName = ({ wire }: Pick<Firewall, "wire">): "inet" | "bridge" =>
  wire === "bridged" ? "bridge" : "inet";

/** `about` is said in the table itself, in ABOUT_CHAIN. */
export function compile(firewall: Firewall, about?: string): string {
  const name = `table ${familyName(firewall)} ${TABLE}`;
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
      ...pathIn(firewall),
      ...fromGuests(firewall, ["source", ...link("out"), "own", "out"]),
      ...fromGuests(firewall, ["bound-out"], FIRST),
    ]),
    chain("output", [hook("output"), ...pathOut(firewall), ...toGuests(firewall, ["known", ...link("in"), "in-own"])]),
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
  if (about !== undefined) chains.push(chain(ABOUT_CHAIN, [`return comment "${about}"`]));
  const counters = [
    ...reasonsOf(firewall),
    ...firewall.denied.map(denyCounter),
    ...firewall.rules.map(({ number }) => ruleCounter(number)),
  ];
  return [
    name,
    `delete ${name}`,
    `${name} {`,
    ...counters.map((counter) => `  counter ${counter} { }`),
    ...[...reasonsOf(firewall), ...firewall.denied.map(denyCounter), ...blocking(firewall)].map(
      (counter) =>
        `  set ${logSet(counter)} { type ifname . ifname; size ${PAIRS_MAX}; flags dynamic; timeout ${PAIR_SECONDS}s; }`,
    ),
    ...[...reasonsOf(firewall), ...firewall.denied.map(denyCounter), ...blocking(firewall)].flatMap((counter) =>
      ["by", "told"].map(
        (what) => `  set ${what}-${counter} { type ifname . ifname; size ${PAIRS_MAX}; flags dynamic; }`,
      ),
    ),
    ...chainsInOrder(chains),
    "}",
    "",
  ].join("\n");
}

type Chain = { name: string; lines: readonly string[] };
const chain = (name: string, lines: readonly string[]): Chain => ({ name, lines });

/** nftables wants a chain to be there before a rule names it: those that name none come first. */
const chainsInOrder = (chains: readonly Chain[]): string[] =>
  [...chains]
    .reverse()
    .flatMap(({ name, lines }) => [`  chain ${name} {`, ...lines.map((line) => `    ${line}`), "  }"]);

/** Packets by pair of devices: `by` what was dropped, `told` what of it was logged. */
export const COUNTING_SET = /^(by|told)-(.+)$/;

const logSet = (counter: string): string => `log-${counter}`;
const blocking = ({ rules }: Firewall): string[] =>
  rules.flatMap(({ number, verdict }) => (verdict === "block" ? [ruleCounter(number)] : []));

const HOOKS = ["forward", "input", "output"] as const;
const hook = (name: (typeof HOOKS)[number]): string => `type filter hook ${name} priority filter; policy accept;`;

/** The same table under another name and hooked nowhere: the kernel reads it, and it judges nothing. */
export const asideOf = (text: string, family: "inet" | "bridge", aside: string): string =>
  text
    .replaceAll(`table ${family} ${TABLE}`, `table ${family} ${aside}`)
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
const setOf = (members: readonly string[]): string =>
  members.length === 1 ? members[0]! : `{ ${members.join(", ")} }`;

/** Guests' devices are matched by name, so one that comes back after a restart has its rules before its first packet. */
export function guestDevices({ vifs }: Pick<Firewall, "vifs">): string[] {
  const named = vifs.flatMap(devicesOf).filter((device) => !device.startsWith(VIF_PREFIX));
  return [`"${VIF_PREFIX}*"`, ...named.map((device) => `"${device}"`)];
}
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

const HALF = {
  out: { mask: "0x0000ffff", rest: "0xffff0000", of: (mark: number) => `0x${mark.toString(16).padStart(8, "0")}` },
  in: { mask: "0xffff0000", rest: "0x0000ffff", of: (mark: number) => `0x${mark.toString(16).padStart(4, "0")}0000` },
} as const;

/** What the overlay denies is asked before anything lets a packet by. Established connections go by while the rule that
 *  let them begin still would: its mark is on them. */
function judgeLines(firewall: Firewall, direction: "out" | "in"): string[] {
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

const markLine = (direction: "out" | "in", mark: number): string =>
  `ct mark set ct mark and ${HALF[direction].rest} or ${HALF[direction].of(mark)}`;

/** One line a family of addresses; none where a rule can match nothing at all. */
function matchLines(rule: FirewallRule): string[] {
  const side = rule.direction === "out" ? "daddr" : "saddr";
  const far = rule.far;
  const addresses =
    far === "any"
      ? [""]
      : ([4, 6] as const).flatMap((family) => {
          const ranges = familyOf(far, family);
          return ranges.length === 0 ? [] : [`${family === 4 ? "ip" : "ip6"} ${side} ${rangesSet(ranges)} `];
        });
  return addresses.flatMap((address) =>
    timeMatch(rule.spans).map((when) => `${address}${portMatch(rule)}${when}goto ${ruleCounter(rule.number)}`),
  );
}

/** Either way: what goes to its port, and what comes from it. */
function denyLines(each: DeniedFar, direction: "out" | "in"): string[] {
  const [side, end] = direction === "out" ? ["daddr", "dport"] : ["saddr", "sport"];
  return bothFamilies(each.far, side!).map((far) => `${far}${denyPort(each, end!)}goto ${denyCounter(each)}`);
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

function ruleChain(firewall: Firewall, rule: FirewallRule): string[] {
  const name = ruleCounter(rule.number);
  if (rule.verdict === "block") return dropLines(firewall, name, rule.label, rule.direction);
  // the mark has a line of its own: a packet that is not tracked has none to set, and ends its line there
  return [`counter name "${name}"`, markLine(rule.direction, rule.mark), "return"];
}

/** The limit is on the log, the counter on the drop: what is not logged is still counted. What is only audited goes on
 *  as if it were allowed, mark and all: else each answer to it would be counted too. */
function dropLines({ mode, generation }: Firewall, counter: string, label: string, direction?: "out" | "in"): string[] {
  const prefix = mode === "audit" ? `audit ${label}` : label;
  return [
    `add @by-${counter} { iifname . oifname counter }`,
    `update @${logSet(counter)} { iifname . oifname limit rate ${LOGGED_PER_SECOND}/second burst ${LOGGED_BURST} packets } add @told-${counter} { iifname . oifname counter } log prefix "${prefix}" group ${NFLOG_GROUP}`,
    ...(mode === "enforce"
      ? [`counter name "${counter}" drop`]
      : [`counter name "${counter}"`, ...(direction ? [markLine(direction, generation)] : []), "return"]),
  ];
}

function pathOut({ path }: Firewall): string[] {
  if (!path) return [];
  if (path.to === "any") return [`tcp dport { 53, ${path.port} } accept`, "udp dport 53 accept"];
  return bothFamilies(path.to, "daddr").map((to) => `${to}tcp dport ${path.port} accept`);
}

function pathIn({ path }: Firewall): string[] {
  if (!path) return [];
  // untracked is what untracked.ts let by as an answer, and nothing else
  return ["ct state established ct direction reply accept", "ct state untracked accept"].flatMap((reply) =>
    path.to === "any"
      ? [`tcp sport { 53, ${path.port} } ${reply}`, `udp sport 53 ${reply}`]
      : bothFamilies(path.to, "saddr").map((from) => `${from}tcp sport ${path.port} ${reply}`),
  );
}

export const bothFamilies = (ranges: readonly Range[], side: string): string[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = joinRanges(familyOf(ranges, family));
    return own.length === 0 ? [] : [`${family === 4 ? "ip" : "ip6"} ${side} ${rangesSet(own)} `];
  });
