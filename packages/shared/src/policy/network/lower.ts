/** The `network` section and what dom0 knows → the intermediate form. Pure. Where a rule cannot match as written (a name
 *  that is not known, ports of icmp), an allowance matches nothing and a block matches without that condition. */
import type { NetworkRule, NetworkSection } from "../network.ts";
import type { DeniedAddress } from "../overlay.ts";
import { joinRanges, type Range, rangeOf } from "./address.ts";
import {
  type BrokerPath,
  type DeniedFar,
  type Firewall,
  type FirewallRule,
  type Opening,
  ruleLabel,
  type Vif,
  type Wire,
} from "./firewall.ts";
import { horizonOf, shifted, spansOf } from "./windows.ts";

/** `names`: what dom0 last resolved, by name in lower case; a name that is absent is not known.
 *  `generation`: the first of the marks that are the section's own (marks.ts). */
export type Surroundings = {
  wire: Wire;
  vifs: readonly Vif[];
  names: Readonly<Record<string, readonly string[]>>;
  /** Names, in lower case, that have no address any more: those in `names` are their last. */
  gone?: readonly string[];
  /** Names, in lower case, that have more addresses than `names` holds. */
  crowded?: readonly string[];
  own: readonly Opening[];
  path: BrokerPath | undefined;
  generation: number;
  nowSeconds: number;
  /** How far the kernel's clock, by which packets are judged, lies behind `nowSeconds`. */
  behindSeconds?: number;
  /** What the deny overlay blocks now. */
  denied: readonly DeniedAddress[];
};

export function lower(section: NetworkSection, around: Surroundings): Firewall {
  const { wire, vifs, own, path, generation } = around;
  const rules = section.rules.flatMap((rule, place) => lowerRule(rule, place + 1, around) ?? []);
  const denied = around.denied.flatMap((each) => lowerDenied(each, around.names));
  return { mode: section.mode, otherwise: section.otherwise, wire, vifs, denied, rules, own, path, generation };
}

/** A name that has no answer blocks nothing, and of one with too many those seen last are blocked; both are told. Whoever
 *  owns a bad name would else cut every guest off by how he answers. */
function lowerDenied({ id, to, host, protocol, port }: DeniedAddress, names: Surroundings["names"]): DeniedFar[] {
  const far = joinRanges((to === undefined ? (names[host!.toLowerCase()] ?? []) : [to]).map(rangeOf));
  return far.length === 0 ? [] : [{ id, far, protocol, port }];
}

/** The names the section and the overlay speak of, in lower case. */
export const namesOf = (section: NetworkSection, denied: readonly DeniedAddress[] = []): string[] => [
  ...new Set([...section.rules, ...denied].flatMap(({ host }) => (host === undefined ? [] : [host.toLowerCase()]))),
];

function lowerRule(rule: NetworkRule, number: number, around: Surroundings): FirewallRule | undefined {
  const far = farOf(rule, around);
  const ports = portsOf(rule);
  const impossible = far === "none" || ports === "none";
  if (impossible && rule.verdict === "allow") return undefined;
  return {
    number,
    label: ruleLabel(number, rule.name),
    verdict: rule.verdict,
    direction: rule.direction,
    protocol: rule.protocol,
    far: far === "none" ? "any" : far,
    ports: ports === "none" ? "any" : ports,
    spans: rule.during
      ? shifted(spansOf(rule.during, rule.verdict, horizonOf(around.nowSeconds)), around.behindSeconds ?? 0)
      : "always",
    mark: rule.during ? around.generation + number : around.generation,
  };
}

/** A block of which one side is not known, or not all of it, blocks every side: less is known to be safe. */
function farOf(
  { verdict, to, addresses, host }: NetworkRule,
  { names, gone = [], crowded = [] }: Pick<Surroundings, "names" | "gone" | "crowded">,
): Range[] | "any" | "none" {
  if (to === undefined && addresses === undefined && host === undefined) return "any";
  const name = host?.toLowerCase();
  const known = name === undefined ? [] : (names[name] ?? []);
  const isUnsure = name !== undefined && (known.length === 0 || crowded.includes(name));
  if (isUnsure && verdict === "block") return "none";
  const resolved = verdict === "allow" && name !== undefined && gone.includes(name) ? [] : known;
  const ranges = [...(to === undefined ? [] : [to]), ...(addresses ?? []), ...resolved].map(rangeOf);
  return ranges.length === 0 ? "none" : joinRanges(ranges);
}

function portsOf({ protocol, ports }: NetworkRule): FirewallRule["ports"] | "none" {
  if (ports === undefined) return "any";
  if (ports.length === 0 || protocol === "icmp") return "none";
  const sorted = ports
    .map((text) => text.split("-").map(Number))
    .map(([from, to = from]) => ({ from: from!, to: to! }))
    .sort((a, b) => a.from - b.from);
  const joined: { from: number; to: number }[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last && range.from <= last.to + 1) last.to = Math.max(last.to, range.to);
    else joined.push(range);
  }
  return joined;
}
