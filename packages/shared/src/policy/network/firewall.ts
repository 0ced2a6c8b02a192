/** The one intermediate form of the `network` section: what evaluate.ts answers from and compile.ts writes as nftables.
 *  Nothing is left open in it: addresses are ranges, names are resolved, windows are spans of seconds. */
import type { Range } from "./address.ts";
import type { Span } from "./windows.ts";

/** A guest's device in dom0. No `addresses`: any source is its own (a guest that routes). */
export type Vif = { name: string; guest: string; mac?: string; addresses: readonly string[] };

/** `routed`: dom0 is the guests' gateway. `bridged`: their devices are ports of dom0's bridge; the kernel needs
 *  connection tracking for bridges (nf_conntrack_bridge), else it refuses the ruleset. */
export type Wire = "routed" | "bridged";

/** A port of dom0 that guests may always reach: where their logs go. */
export type Opening = { protocol: "tcp" | "udp"; port: number };

/** dom0's own way to the broker. `any` address is what it is widened to when it was lost; then names may be asked too. */
export type BrokerPath = { to: readonly Range[] | "any"; port: number };

export type FirewallRule = {
  /** Counted from 1, as the section lists them. */
  number: number;
  /** Its prefix in a drop's record, and so its identity there. */
  label: string;
  verdict: "allow" | "block";
  direction: "out" | "in";
  protocol: "tcp" | "udp" | "icmp" | "any";
  far: readonly Range[] | "any";
  ports: readonly { from: number; to: number }[] | "any";
  spans: readonly Span[] | "always";
  /** Stamped on a connection that it lets through; the generation where it has no times. */
  mark: number;
};

/** A far side that the deny overlay blocks, before any rule and in audit mode as well. */
export type DeniedFar = {
  /** 12 hex digits; its counter and its prefix in a drop's record are made from it. */
  id: string;
  far: readonly Range[];
  protocol: "tcp" | "udp" | "any";
  /** The far side's. */
  port: number | undefined;
};

export type Firewall = {
  mode: "enforce" | "audit";
  otherwise: "allow" | "block";
  wire: Wire;
  vifs: readonly Vif[];
  denied: readonly DeniedFar[];
  rules: readonly FirewallRule[];
  own: readonly Opening[];
  path: BrokerPath | undefined;
  /** 1 to MARK_MAX: connections that an earlier section let through do not have it and are judged again. */
  generation: number;
};

/** Interfaces with this prefix are guests', known or not. */
export const VIF_PREFIX = "vif";
const INTERFACE_CHARS_MAX = 15;

/** A guest without drivers of its own speaks through an emulated card, whose device is named after the vif. */
export const devicesOf = ({ name }: Pick<Vif, "name">): string[] =>
  name.length + 4 <= INTERFACE_CHARS_MAX ? [name, `${name}-emu`] : [name];

/** Connections that one device of a guest may have begun and that the kernel still keeps; and as many that the world began
 *  to it. A desk has some hundreds, and a thousand where it asks many names. The kernel has one table for all, of 4,096 to
 *  262,144 by dom0's memory, and keeps an established one for five days. */
export const CONNECTIONS_MAX = 4_096;
/** What may begin: the kernel's count costs a look at each connection that is there, and forgets those that came to nothing
 *  a few at a time. */
export const BEGUN_PER_SECOND = 200;
export const BEGUN_BURST = 1_000;

/** What else can drop a packet; with the rules' own, all counters there are. */
export const REASONS = {
  spoofed: "spoofed",
  "unknown-vif": "unknown vif",
  invalid: "invalid",
  "other-ethertype": "other ethertype",
  "router-guard": "router guard",
  "dhcp-guard": "dhcp guard",
  "otherwise-out": "otherwise out",
  "otherwise-in": "otherwise in",
  "connection-limit": "connection limit",
} as const;
export type Reason = keyof typeof REASONS;

export const ruleCounter = (number: number): string => `rule-${number}`;
export const denyCounter = ({ id }: Pick<DeniedFar, "id">): string => `deny-${id}`;
/** In a drop's record; DENY_LABEL reads it back. */
export const denyLabel = ({ id }: Pick<DeniedFar, "id">): string => `deny ${id}`;
export const DENY_LABEL = /^deny ([0-9a-f]{12})$/;

/** nftables' strings have no escapes: what is not plain becomes an underscore. The number keeps it unique. */
export const ruleLabel = (number: number, name: string): string =>
  `rule ${number} ${name.replaceAll(/[^A-Za-z0-9 ._-]/gu, "_")}`.trim();
