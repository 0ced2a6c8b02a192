/** One packet against the intermediate form: passed or dropped, and by what. Pure; compile.ts says the same in nftables,
 *  and that both agree is tested packet by packet. */
import { holds, type Range, rangeOf } from "./address.ts";
import {
  type DeniedFar,
  denyCounter,
  devicesOf,
  type Firewall,
  type FirewallRule,
  type Reason,
  ruleCounter,
  VIF_PREFIX,
} from "./firewall.ts";
import { type Claims, guardReasons, sourcesOf } from "./guard.ts";
import type { Span } from "./windows.ts";

export type Place = { device: string } | "dom0";

/** What the ruleset can see of a packet. A `device` that is no guest's is the world's. */
export type Packet = Claims & {
  from: Place;
  to: Place;
  mac: string;
  source: string;
  destination: string;
  protocol: "tcp" | "udp" | "icmp" | "icmpv6" | "other";
  sourcePort?: number;
  destinationPort?: number;
  icmpType?: number;
  state: "new" | "established" | "related" | "invalid" | "untracked";
  flow: "original" | "reply";
  /** The first of a connection whose guest has no room for one more (CONNECTIONS_MAX, BEGUN_PER_SECOND). */
  isOverLimit?: boolean;
  /** What earlier packets of the connection left on it. */
  marks: Marks;
  /** Seconds since 1970. */
  at: number;
};
export type Marks = { out: number; in: number };

/** `counted`: the counters it goes up, in order. In audit mode what would be dropped is counted and passes. */
export type Answer = { verdict: "pass" | "drop"; by: string; counted: string[]; marks: Marks };

type Step = { counted: string[]; marks: Marks; by: string };
/** Neighbour discovery and group membership, to and from dom0 itself; the rest of ICMPv6 is for the rules. */
export const ND_FROM_GUEST: readonly number[] = [131, 132, 133, 135, 136, 143];
export const ND_TO_GUEST: readonly number[] = [130, 131, 132, 134, 135, 136, 143];

export function evaluate(firewall: Firewall, packet: Packet): Answer {
  const step: Step = { counted: [], marks: { ...packet.marks }, by: "not a guest's" };
  const dropped = walk(firewall, packet, step);
  return { verdict: dropped ? "drop" : "pass", by: step.by, counted: step.counted, marks: step.marks };
}

/** Whether it is dropped. */
function walk(firewall: Firewall, packet: Packet, step: Step): boolean {
  if (isOnPath(firewall, packet)) {
    step.by = "path";
    return false;
  }
  const drop = (name: string): boolean => {
    step.counted.push(name);
    step.by = name;
    return firewall.mode === "enforce";
  };
  /** Asked last, of what passes; what dom0 begins is not bound. */
  const isBeyond = (): boolean =>
    (fromGuest || toGuest) && packet.from !== "dom0" && packet.isOverLimit === true && drop("connection-limit");
  const local = packet.from === "dom0" || packet.to === "dom0";
  const fromGuest = isGuest(firewall, packet.from);
  const toGuest = isGuest(firewall, packet.to);
  if (fromGuest) {
    const vif = vifOf(firewall, packet.from as { device: string });
    if (!vif && drop("unknown-vif")) return true;
    if (vif?.mac && vif.mac.toLowerCase() !== packet.mac.toLowerCase() && drop("spoofed")) return true;
    if (vif && guardReasons(vif, firewall.wire, packet).some(drop)) return true;
    const isIp = packet.ethertype === undefined;
    if (vif && isIp && !holds(sourcesOf(vif, firewall.wire), rangeOf(packet.source)) && drop("spoofed")) return true;
  }
  if (toGuest && !vifOf(firewall, packet.to as { device: string }) && drop("unknown-vif")) return true;
  const bridged = firewall.wire === "bridged";
  if (fromGuest) {
    const link = bridged ? linkOf(packet, ND_FROM_GUEST, drop) : "on";
    if (link === "drop") return true;
    if (link === "pass") return passed(step, "link");
    if (packet.to === "dom0" && isOwn(firewall, packet)) return isBeyond() || passed(step, "own");
    if (!isDiscovery(packet, local, ND_FROM_GUEST) && judge(firewall, packet, "out", step, drop)) return true;
  }
  if (!toGuest) return isBeyond();
  const link = bridged ? linkOf(packet, ND_TO_GUEST, drop) : "on";
  if (link === "drop") return true;
  if (link === "pass") return passed(step, "link");
  return (!isDiscovery(packet, local, ND_TO_GUEST) && judge(firewall, packet, "in", step, drop)) || isBeyond();
}

const passed = (step: Step, by: string): false => {
  step.by = by;
  return false;
};

/** On a bridge, what IP needs from the link goes by, and nothing else that is no IP. */
function linkOf(
  { ethertype, protocol, icmpType, destination }: Packet,
  types: readonly number[],
  drop: (name: string) => boolean,
): "pass" | "drop" | "on" {
  if (ethertype === "arp") return "pass";
  if (ethertype === "other") return drop("other-ethertype" satisfies Reason) ? "drop" : "on";
  const isNear = protocol === "icmpv6" && holds(NEAR, rangeOf(destination));
  return isNear && icmpType !== undefined && types.includes(icmpType) ? "pass" : "on";
}

const isOwn = ({ own }: Firewall, { protocol, destinationPort }: Packet): boolean =>
  own.some((each) => each.protocol === protocol && each.port === destinationPort);

function judge(
  firewall: Firewall,
  packet: Packet,
  direction: "out" | "in",
  step: Step,
  drop: (name: string) => boolean,
): boolean {
  let range: Range | undefined;
  const far = (): Range => {
    range ??= rangeOf(direction === "out" ? packet.destination : packet.source); // once for all rules
    return range;
  };
  const denied = firewall.denied.find((each) => isDenied(each, packet, direction, far));
  if (denied) {
    step.by = denyCounter(denied);
    step.counted.push(step.by);
    return true;
  }
  const other = direction === "out" ? "in" : "out";
  const half = packet.flow === "original" ? direction : other;
  if (["established", "related"].includes(packet.state) && isMarked(firewall, half, step.marks[half], packet.at)) {
    step.by = "established";
    return false;
  }
  if (packet.state === "invalid") return drop("invalid");
  const rule = firewall.rules.find((each) => each.direction === direction && matches(each, packet, far));
  const by = rule ? ruleCounter(rule.number) : (`otherwise-${direction}` satisfies Reason);
  const blocked = (rule?.verdict ?? firewall.otherwise) === "block";
  if (blocked && drop(by)) return true;
  if (rule && !blocked) step.counted.push(by);
  step.by = by;
  step.marks[direction] = rule && !blocked ? rule.mark : firewall.generation;
  return false;
}

/** Either way: what goes to its port, and what comes from it. */
function isDenied({ far, protocol, port }: DeniedFar, packet: Packet, direction: "out" | "in", side: () => Range) {
  if (!holds(far, side())) return false;
  const speaks = packet.protocol === "tcp" || packet.protocol === "udp";
  if (protocol !== "any" && packet.protocol !== protocol) return false;
  if (port === undefined) return true;
  return speaks && (direction === "out" ? packet.destinationPort : packet.sourcePort) === port;
}

/** A mark of this ruleset; one of a rule with windows holds only within them. */
function isMarked({ generation, rules }: Firewall, half: "out" | "in", mark: number, at: number): boolean {
  if (mark === generation) return true;
  return rules.some(
    (rule) => rule.direction === half && rule.mark === mark && rule.verdict === "allow" && within(rule.spans, at),
  );
}

function matches({ protocol, far, ports, spans }: FirewallRule, packet: Packet, side: () => Range): boolean {
  if (far !== "any" && !holds(far, side())) return false;
  if (protocol === "icmp" && packet.protocol !== "icmp" && packet.protocol !== "icmpv6") return false;
  if ((protocol === "tcp" || protocol === "udp") && packet.protocol !== protocol) return false;
  if (ports !== "any") {
    if (packet.protocol !== "tcp" && packet.protocol !== "udp") return false;
    const port = packet.destinationPort ?? -1;
    if (!ports.some(({ from, to }) => from <= port && port <= to)) return false;
  }
  return within(spans, packet.at);
}

const within = (spans: readonly Span[] | "always", at: number): boolean =>
  spans === "always" || spans.some(({ from, to }) => from <= at && at <= to);

function isOnPath({ path }: Firewall, packet: Packet): boolean {
  if (!path || (packet.protocol !== "tcp" && packet.protocol !== "udp")) return false;
  const reaches = (address: string, port: number | undefined) =>
    path.to === "any"
      ? (port === path.port && packet.protocol === "tcp") || port === 53
      : packet.protocol === "tcp" && port === path.port && holds(path.to, rangeOf(address));
  if (packet.from === "dom0") return reaches(packet.destination, packet.destinationPort);
  // untracked is what untracked.ts let by as an answer, and nothing else
  const answers = (packet.state === "established" && packet.flow === "reply") || packet.state === "untracked";
  return packet.to === "dom0" && answers && reaches(packet.source, packet.sourcePort);
}

const isDiscovery = ({ protocol, icmpType }: Packet, local: boolean, types: readonly number[]): boolean =>
  local && protocol === "icmpv6" && icmpType !== undefined && types.includes(icmpType);

const isGuest = (firewall: Firewall, place: Place): boolean =>
  place !== "dom0" && (place.device.startsWith(VIF_PREFIX) || vifOf(firewall, place) !== undefined);

const vifOf = ({ vifs }: Firewall, place: { device: string }) =>
  vifs.find((vif) => devicesOf(vif).includes(place.device));

const NEAR: readonly Range[] = ["fe80::/10", "ff02::/16"].map(rangeOf);
