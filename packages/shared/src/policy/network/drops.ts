/** A dropped packet → its counter, who sent it to whom, and a line in the log within limits, as nftables. Pure. */
import type { Firewall } from "./firewall.ts";
import { markLine } from "./judging.ts";

/** The group ulogd2 listens on. */
export const NFLOG_GROUP = 5;
/** Of each reason and each pair of devices, so that what one guest tries hides nothing of another: enough to see what it
 *  is, too little to fill a disk. Counters count every packet. */
export const LOGGED_PER_SECOND = 10;
export const LOGGED_BURST = 30;

/** Pairs of devices that one reason is counted for at a time, and how long a pair that is quiet is remembered. */
const PAIRS_MAX = 1_024;
const PAIR_SECONDS = 60;

/** Packets by pair of devices: `by` what was dropped, `told` what of it was logged. */
export const COUNTING_SET = /^(by|told)-(.+)$/;

const logSet = (counter: string): string => `log-${counter}`;

/** The sets that the lines of these drops use. */
export const dropSets = (counters: readonly string[]): string[] => [
  ...counters.map(
    (counter) =>
      `set ${logSet(counter)} { type ifname . ifname; size ${PAIRS_MAX}; flags dynamic; timeout ${PAIR_SECONDS}s; }`,
  ),
  ...counters.flatMap((counter) =>
    ["by", "told"].map((what) => `set ${what}-${counter} { type ifname . ifname; size ${PAIRS_MAX}; flags dynamic; }`),
  ),
];

/** The limit is on the log, the counter on the drop: what is not logged is still counted. What is only audited goes on
 *  as if it were allowed, mark and all: else each answer to it would be counted too. */
export function dropLines(
  { mode, generation }: Firewall,
  counter: string,
  label: string,
  direction?: "out" | "in",
): string[] {
  const prefix = mode === "audit" ? `audit ${label}` : label;
  return [
    `add @by-${counter} { iifname . oifname counter }`,
    `update @${logSet(counter)} { iifname . oifname limit rate ${LOGGED_PER_SECOND}/second burst ${LOGGED_BURST} packets } add @told-${counter} { iifname . oifname counter } log prefix "${prefix}" group ${NFLOG_GROUP}`,
    ...(mode === "enforce"
      ? [`counter name "${counter}" drop`]
      : [`counter name "${counter}"`, ...(direction ? [markLine(direction, generation)] : []), "return"]),
  ];
}
