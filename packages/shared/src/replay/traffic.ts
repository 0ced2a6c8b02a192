/** Drops, flows and alerts → inputs. Ports that a guest chose for itself, and its own address, decide nothing: they go. */
import { REASONS, VIF_PREFIX } from "../policy/network/firewall.ts";
import type { IdsAlert, IdsEvent, NetDrop } from "../record/ids.ts";
import type { AlertInput, Input, NetInput, Side } from "./input.ts";
import { isAddress } from "./network.ts";

const AUDIT = "audit ";
/** Said of a packet before any rule is asked, or by what no rule can change. */
const FIXED: ReadonlySet<string> = new Set([
  REASONS.spoofed,
  REASONS["unknown-vif"],
  REASONS.invalid,
  REASONS["other-ethertype"],
  REASONS["router-guard"],
  REASONS["dhcp-guard"],
  REASONS["connection-limit"],
]);

const PROTOCOLS: Record<string, NetInput["protocol"]> = {
  tcp: "tcp",
  udp: "udp",
  icmp: "icmp",
  icmpv6: "icmpv6",
  "ipv6-icmp": "icmpv6",
};
const protocolOf = (text: string | undefined): NetInput["protocol"] => PROTOCOLS[text?.toLowerCase() ?? ""] ?? "other";

/** A prefix that is not ours was logged by rules of another. */
const OURS =
  /^(?:rule \d+|spoofed$|unknown vif$|invalid$|other ethertype$|(?:router|dhcp) guard$|connection limit$|otherwise (?:out|in)$)/;

export function dropInput(drop: NetDrop): Input | undefined {
  const audited = drop.rule?.startsWith(AUDIT) ?? false;
  const label = (audited ? drop.rule!.slice(AUDIT.length) : (drop.rule ?? "")).trim();
  if (!OURS.test(label)) return undefined;
  const seen = audited ? ("audited" as const) : ("dropped" as const);
  const protocol = protocolOf(drop.protocol);
  if (FIXED.has(label)) return { kind: "net", from: "unknown", to: "unknown", protocol, seen, reason: label };
  const sides = { from: sideOf(drop.in), to: sideOf(drop.out) };
  return net(drop, protocol, sides, seen, drop.event["icmp.type"] ?? drop.event["icmpv6.type"]);
}

/** No device: dom0 itself. */
function sideOf(device: string | undefined): Side {
  if (device === undefined) return "dom0";
  return device.startsWith(VIF_PREFIX) ? "guest" : "world";
}

/** Only a flow that was answered surely passed. The detector names no device: whose address is whose is told by which of
 *  them is private. */
export function flowInput({ type, event, ...flow }: IdsEvent): Input | undefined {
  if (type !== "flow") return undefined;
  const answered = (event.flow as { pkts_toclient?: unknown } | undefined)?.pkts_toclient;
  if (typeof answered !== "number" || answered === 0) return undefined;
  if (!isAddress(flow.source) || !isAddress(flow.destination)) return undefined;
  const [source, destination] = [isPrivate(flow.source), isPrivate(flow.destination)];
  const sides: { from: Side; to: Side } =
    source === destination
      ? { from: "unknown", to: "unknown" }
      : source
        ? { from: "guest", to: "world" }
        : { from: "world", to: "guest" };
  return net(flow, protocolOf(flow.protocol), sides, "flow", event.icmp_type);
}

function net(
  end: Pick<NetDrop, "source" | "destination" | "destinationPort">,
  protocol: NetInput["protocol"],
  { from, to }: { from: Side; to: Side },
  seen: NetInput["seen"],
  icmpType: unknown,
): NetInput | undefined {
  const asksSource = from !== "guest" || to === "guest" || to === "unknown";
  const asksDestination = to !== "guest" || from === "guest" || from === "unknown";
  if (asksSource && !isAddress(end.source)) return undefined;
  if (asksDestination && !isAddress(end.destination)) return undefined;
  const isType = typeof icmpType === "number" && Number.isInteger(icmpType) && icmpType >= 0 && icmpType <= 255;
  return {
    kind: "net",
    from,
    to,
    ...(asksSource && { source: end.source! }),
    ...(asksDestination && { destination: end.destination! }),
    protocol,
    ...(end.destinationPort !== undefined && { port: end.destinationPort }),
    ...(isType && (protocol === "icmp" || protocol === "icmpv6") && { icmpType: icmpType as number }),
    seen,
  };
}

export function alertInput({ generator = 1, signatureId, signature, source, destination }: IdsAlert): AlertInput {
  return {
    kind: "alert",
    generator,
    signatureId,
    signature: signature.slice(0, 200).toWellFormed(),
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
  };
}

const PRIVATE = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i;
const isPrivate = (address: string): boolean => PRIVATE.test(address);
