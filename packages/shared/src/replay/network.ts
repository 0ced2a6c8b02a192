/** A recorded packet or flow → what a `network` section answers, by the evaluator whose agreement with nftables is tested.
 *  Which addresses a name had is dom0's to know: where that matters the answer is unknown. Pure. */
import { rangeOf } from "../policy/network/address.ts";
import { evaluate, type Packet, type Place } from "../policy/network/evaluate.ts";
import type { Firewall } from "../policy/network/firewall.ts";
import { lower } from "../policy/network/lower.ts";
import type { NetworkRule, NetworkSection } from "../policy/network.ts";
import { type Answer, unknownAnswer } from "./flip.ts";
import type { NetInput } from "./input.ts";

const WEEK_SECONDS = 7 * 86_400;
const GENERATION = 1;
/** Two, so that a packet may go from one guest to another. Any source is their own: that was looked at before. */
const VIFS = [
  { name: "vif0", guest: "", addresses: [] },
  { name: "vif1", guest: "", addresses: [] },
];
const WORLD: Place = { device: "world" };

export type JudgePacket = (input: NetInput, atMs: number) => Answer;

/** Spans of time are worked out for two weeks: one ruleset a week of history. */
export function networkJudge(section: NetworkSection): JudgePacket {
  const named = section.rules.some(({ host }) => host !== undefined);
  const variants = named ? [ifNamed(section, "allow"), ifNamed(section, "block")] : [section];
  const timed = section.rules.some(({ during }) => during !== undefined);
  const made = new Map<number, Firewall[]>();
  const firewallsAt = (atSeconds: number): Firewall[] => {
    const week = timed ? Math.floor(atSeconds / WEEK_SECONDS) : 0;
    let firewalls = made.get(week);
    if (!firewalls) {
      const nowSeconds = timed ? atSeconds : 0;
      const around = { wire: "routed" as const, vifs: VIFS, names: {}, own: [], path: undefined, denied: [] };
      firewalls = variants.map((each) => lower(each, { ...around, generation: GENERATION, nowSeconds }));
      made.set(week, firewalls);
    }
    return firewalls;
  };

  return (input, atMs) => {
    if (input.reason !== undefined) {
      const outcome = section.mode === "audit" ? ("pass" as const) : ("block" as const);
      return { outcome, rule: input.reason, reason: `dropped before any rule: ${input.reason}` };
    }
    const at = Math.floor(atMs / 1000);
    const [loosest, strictest] = firewallsAt(at).map((firewall) => answers(firewall, section, input, at));
    if (!loosest) return unknownAnswer("it names no guest's device");
    if (!strictest || loosest.outcome === strictest.outcome) return loosest;
    return unknownAnswer("it depends on the addresses that a name had then");
  };
}

/** A rule by name that lets pass is taken to match, and one that blocks not to; or the reverse. What any addresses would
 *  give lies between the two. */
function ifNamed(section: NetworkSection, matching: NetworkRule["verdict"]): NetworkSection {
  // a rule keeps its number: one that cannot match stays in its place
  const rules = section.rules.map(({ host, ...rule }): NetworkRule => {
    if (host === undefined) return rule;
    const { to: _, addresses: __, ...any } = rule;
    if (rule.verdict === matching) return any;
    if (rule.to !== undefined || rule.addresses !== undefined) return rule;
    return { ...rule, verdict: "allow", ports: [] };
  });
  return { ...section, rules };
}

/** Nothing where it is no guest's, as far as its devices say. */
function answers(firewall: Firewall, section: NetworkSection, input: NetInput, at: number): Answer | undefined {
  const ways = waysOf(input);
  if (ways.length === 0) return undefined;
  const all = ways.map(([from, to]) => {
    const { verdict, by, counted } = evaluate(firewall, packetOf(input, from, to, at));
    const dropped = firewall.mode === "audit" ? counted.find((name) => isDrop(name, section)) : undefined;
    const rule = ruleName(by, section);
    const outcome = verdict === "pass" ? ("pass" as const) : ("block" as const);
    const reason = dropped ? `audit mode; enforced it would be dropped by ${ruleName(dropped, section)}` : `by ${rule}`;
    return { outcome, rule, reason };
  });
  const [first, second] = all;
  if (second && second.outcome !== first!.outcome)
    return unknownAnswer("the history does not say which side was the guest's");
  return first;
}

const isDrop = (name: string, { rules }: NetworkSection): boolean => {
  const number = /^rule-(\d+)$/.exec(name)?.[1];
  return number === undefined || rules[Number(number) - 1]?.verdict === "block";
};

/** `rule 2 web`, as a drop's record has it; what no rule names is `otherwise`. */
function ruleName(by: string, { rules }: NetworkSection): string {
  const number = /^rule-(\d+)$/.exec(by)?.[1];
  if (number === undefined) return by.replace("-", " ");
  return `rule ${number} ${rules[Number(number) - 1]?.name ?? ""}`.trim();
}

function waysOf({ from, to }: NetInput): [Place, Place][] {
  const out: [Place, Place] = [{ device: "vif0" }, to === "dom0" ? "dom0" : WORLD];
  const into: [Place, Place] = [from === "dom0" ? "dom0" : WORLD, { device: "vif1" }];
  if (from === "guest" && to === "guest") return [[{ device: "vif0" }, { device: "vif1" }]];
  if (from === "guest") return [out];
  if (to === "guest") return [into];
  return from === "unknown" && to === "unknown" ? [out, into] : [];
}

function packetOf(input: NetInput, from: Place, to: Place, at: number): Packet {
  const six = [input.source, input.destination].some((address) => address?.includes(":"));
  const none = six ? "::" : "0.0.0.0";
  return {
    from,
    to,
    mac: "",
    source: input.source ?? none,
    destination: input.destination ?? none,
    protocol: input.protocol,
    ...(input.port !== undefined && { destinationPort: input.port }),
    ...(input.icmpType !== undefined && { icmpType: input.icmpType }),
    state: "new",
    flow: "original",
    marks: { out: 0, in: 0 },
    at,
  };
}

/** Whether an address can be compared with a rule's. */
export function isAddress(text: string | undefined): text is string {
  if (text === undefined || text.includes("/")) return false;
  try {
    rangeOf(text);
    return true;
  } catch {
    return false;
  }
}

/** Moments within a row's time at which a section may begin to answer otherwise: its first and last, and where a window
 *  begins or ends between them. */
export function momentsWithin(section: NetworkSection, firstMs: number, lastMs: number): number[] {
  const edges = new Set<number>();
  for (const { during } of section.rules)
    for (const { from = "00:00", until = "24:00" } of during ?? []) {
      edges.add(minutesOf(from) % DAY_MINUTES);
      edges.add(minutesOf(until) % DAY_MINUTES);
    }
  if (edges.size === 0) return [firstMs];
  const moments = new Set([firstMs, lastMs]);
  for (let minute = Math.floor(firstMs / 60_000) + 1; minute * 60_000 <= lastMs; minute++)
    if (edges.has(minute % DAY_MINUTES)) moments.add(minute * 60_000);
  return [...moments];
}

const DAY_MINUTES = 1440;
const minutesOf = (clock: string): number => {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours! * 60 + minutes!;
};
