/** What stands where no ruleset can: nothing passes to or from guests. As few lines as that takes, and none that a kernel
 *  could lack: no counters, no logs, no connection tracking. Pure. */
import { ABOUT_CHAIN, bothFamilies, familyName, guestDevices, TABLE } from "./compile.ts";
import type { BrokerPath, Firewall } from "./firewall.ts";
import { VIF_PREFIX } from "./firewall.ts";

/** What the table says of itself (ABOUT_CHAIN). */
export const CLOSED = "closed";

type Closed = Pick<Firewall, "wire" | "vifs"> & { path: BrokerPath | undefined };

/** dom0's own way to the broker stays, where that lies behind a guest. */
export function closed({ wire, vifs, path }: Closed): string {
  const drop = (side: "iifname" | "oifname") => guestDevices({ vifs }).map((device) => `${side} ${device} drop`);
  return tableOf(familyName({ wire }), {
    forward: [hook("forward", "accept"), ...drop("iifname"), ...drop("oifname")],
    input: [hook("input", "accept"), ...pathLines(path, "saddr", "sport"), ...drop("iifname")],
    output: [hook("output", "accept"), ...pathLines(path, "daddr", "dport"), ...drop("oifname")],
  });
}

/** Before an agent runs that knows which devices are guests', and by which wire: nothing is forwarded at all. */
export function closedEverywhere(): string {
  const chains = {
    forward: [hook("forward", "drop")],
    input: [hook("input", "accept"), `iifname "${VIF_PREFIX}*" drop`],
    output: [hook("output", "accept"), `oifname "${VIF_PREFIX}*" drop`],
  };
  return tableOf("inet", chains) + tableOf("bridge", chains);
}

const hook = (name: string, policy: "accept" | "drop"): string =>
  `type filter hook ${name} priority filter; policy ${policy};`;

function pathLines(path: BrokerPath | undefined, side: string, end: string): string[] {
  if (!path) return [];
  if (path.to === "any") return [`tcp ${end} { 53, ${path.port} } accept`, `udp ${end} 53 accept`];
  return bothFamilies(path.to, side).map((far) => `${far}tcp ${end} ${path.port} accept`);
}

function tableOf(family: string, chains: Record<string, readonly string[]>): string {
  const name = `table ${family} ${TABLE}`;
  const all = { ...chains, [ABOUT_CHAIN]: [`return comment "${CLOSED}"`] };
  const lines = Object.entries(all).flatMap(([chain, rules]) => [
    `  chain ${chain} {`,
    ...rules.map((rule) => `    ${rule}`),
    "  }",
  ]);
  return [name, `delete ${name}`, `${name} {`, ...lines, "}", ""].join("\n");
}
