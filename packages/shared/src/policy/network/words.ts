/** A network rule as a person would say it, for differences and lists. Pure. */
import type { NetworkRule, NetworkWindow } from "../network.ts";

/** `"web": allow tcp out to 192.0.2.10, port 443, on mon, fri from 07:00 (UTC)` */
export function ruleWords({
  name,
  verdict,
  direction,
  protocol,
  to,
  addresses = [],
  host,
  ports,
  during,
}: NetworkRule): string {
  const far = [to, ...addresses, host].filter((each) => each !== undefined);
  const parts = [
    `${verdict} ${protocol === "any" ? "anything" : protocol} ${direction === "out" ? "out to" : "in from"} ${far.length > 0 ? far.join(" or ") : "anywhere"}`,
    ...(ports ? [`${ports.length === 1 && !ports[0]!.includes("-") ? "port" : "ports"} ${ports.join(" ")}`] : []),
    ...(during ? [`${during.map(windowWords).join(" and ")} (UTC)`] : []),
  ];
  return `"${name}": ${parts.join(", ")}`;
}

function windowWords({ days, from, until }: NetworkWindow): string {
  const parts = [days && `on ${days.join(", ")}`, from && `from ${from}`, until && `until ${until}`].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : "at all times";
}
