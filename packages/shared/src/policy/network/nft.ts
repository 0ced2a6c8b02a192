/** nftables' text, as every table of ours has it: whole tables, sets of addresses, guests' devices, dom0's way to the
 *  broker. Pure. */
import { familyOf, joinRanges, type Range, rangeText } from "./address.ts";
import { type BrokerPath, devicesOf, type Firewall, VIF_PREFIX } from "./firewall.ts";

export const TABLE = "sallyport";
/** A chain that no packet goes through: it says of which text the table is, so that a look at it tells, and more. */
export const ABOUT_CHAIN = "about";

export type Chain = { name: string; lines: readonly string[] };
export const chain = (name: string, lines: readonly string[]): Chain => ({ name, lines });
export const aboutChain = (...about: readonly string[]): Chain =>
  chain(
    ABOUT_CHAIN,
    about.map((each) => `return comment "${each}"`),
  );

export const familyName = ({ wire }: Pick<Firewall, "wire">): "inet" | "bridge" =>
  wire === "bridged" ? "bridge" : "inet";

/** For `nft -f`: it replaces the table whole or not at all. A chain must be there before a rule names it. */
export function tableText(
  { family, table }: { family: string; table: string },
  sets: readonly string[],
  chains: readonly Chain[],
): string {
  const name = `table ${family} ${table}`;
  return [
    name,
    `delete ${name}`,
    `${name} {`,
    ...sets.map((line) => `  ${line}`),
    ...chains.flatMap((each) => [`  chain ${each.name} {`, ...each.lines.map((line) => `    ${line}`), "  }"]),
    "}",
    "",
  ].join("\n");
}

export const setOf = (members: readonly string[]): string =>
  members.length === 1 ? members[0]! : `{ ${members.join(", ")} }`;

export const rangesSet = (ranges: readonly Range[]): string => `{ ${ranges.map(rangeText).join(", ")} }`;

/** One match a family that has any of them. */
export const bothFamilies = (ranges: readonly Range[], side: "saddr" | "daddr"): string[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = joinRanges(familyOf(ranges, family));
    return own.length === 0 ? [] : [`${family === 4 ? "ip" : "ip6"} ${side} ${rangesSet(own)} `];
  });

/** Guests' devices are matched by name, so one that comes back after a restart has its rules before its first packet. */
export function guestDevices({ vifs }: Pick<Firewall, "vifs">): string[] {
  const named = vifs.flatMap(devicesOf).filter((device) => !device.startsWith(VIF_PREFIX));
  return [`"${VIF_PREFIX}*"`, ...named.map((device) => `"${device}"`)];
}

/** Where the far side's address and port stand in a packet. */
export const farSide = (direction: "out" | "in") =>
  direction === "out" ? (["daddr", "dport"] as const) : (["saddr", "sport"] as const);

/** dom0's own way to the broker, and back. Where it is widened, names may be asked too. */
export function pathLines(path: BrokerPath | undefined, direction: "out" | "in", verdict: string): string[] {
  if (!path) return [];
  const [side, end] = farSide(direction);
  if (path.to === "any") return [`tcp ${end} { 53, ${path.port} } ${verdict}`, `udp ${end} 53 ${verdict}`];
  return bothFamilies(path.to, side).map((far) => `${far}tcp ${end} ${path.port} ${verdict}`);
}
