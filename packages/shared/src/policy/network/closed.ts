/** What stands where no ruleset can: nothing passes to or from guests. As few lines as that takes, and none that a kernel
 *  could lack: no counters, no logs, no connection tracking. Pure. */
import { type BrokerPath, type Firewall, VIF_PREFIX } from "./firewall.ts";
import { aboutChain, chain, familyName, guestDevices, pathLines, TABLE, tableText } from "./nft.ts";

/** What the table says of itself (ABOUT_CHAIN). */
export const CLOSED = "closed";

type Closed = Pick<Firewall, "wire" | "vifs"> & { path: BrokerPath | undefined };

/** dom0's own way to the broker stays, where that lies behind a guest. */
export function closed({ wire, vifs, path }: Closed, about = CLOSED): string {
  const drop = (side: "iifname" | "oifname") => guestDevices({ vifs }).map((device) => `${side} ${device} drop`);
  return closedTable(
    familyName({ wire }),
    {
      forward: [hook("forward", "accept"), ...drop("iifname"), ...drop("oifname")],
      input: [hook("input", "accept"), ...pathLines(path, "in", "accept"), ...drop("iifname")],
      output: [hook("output", "accept"), ...pathLines(path, "out", "accept"), ...drop("oifname")],
    },
    about,
  );
}

/** Before an agent runs that knows which devices are guests', and by which wire: nothing is forwarded at all. */
export function closedEverywhere(): string {
  const chains = {
    forward: [hook("forward", "drop")],
    input: [hook("input", "accept"), `iifname "${VIF_PREFIX}*" drop`],
    output: [hook("output", "accept"), `oifname "${VIF_PREFIX}*" drop`],
  };
  return closedTable("inet", chains) + closedTable("bridge", chains);
}

const hook = (name: string, policy: "accept" | "drop"): string =>
  `type filter hook ${name} priority filter; policy ${policy};`;

function closedTable(family: string, chains: Record<string, readonly string[]>, about = CLOSED): string {
  const hooked = Object.entries(chains).map(([name, lines]) => chain(name, lines));
  return tableText({ family, table: TABLE }, [], [...hooked, aboutChain(about)]);
}
