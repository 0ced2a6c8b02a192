/** What a policy would cut every workstation of a group off from that it has now, in words, for whoever is about to put it
 *  into force. The agents' own way to the console is outside policy and stays (docs/firewall.md). Pure. */
import { parseRules } from "../usb/rules/parse.ts";
import type { NetworkRule, NetworkSection } from "./network.ts";
import type { Policy } from "./policy.ts";
import type { UsbSection } from "./usb.ts";

/** Empty where something that passed before still passes, and where nothing passed before. */
export function cutOffWords(before: Policy, after: Policy): string[] {
  const words: string[] = [];
  if (letsOut(before.network) && !letsOut(after.network))
    words.push(
      "It cuts every workstation’s guests off the network: no rule lets anything out any more. The agents’ own way to the console stays.",
    );
  if (letsIn(before.usb) && !letsIn(after.usb))
    words.push("It cuts every workstation off from USB: no device rule allows a device any more.");
  return words;
}

function letsOut({ mode, otherwise, rules }: NetworkSection): boolean {
  if (mode === "audit") return true;
  const out = rules.filter(({ direction }) => direction === "out");
  const wall = out.findIndex(isWall);
  const reached = wall === -1 ? out : out.slice(0, wall);
  return reached.some(({ verdict }) => verdict === "allow") || (wall === -1 && otherwise === "allow");
}

/** It blocks whatever comes to it, always. */
const isWall = ({ verdict, protocol, to, addresses, host, ports, during }: NetworkRule): boolean =>
  verdict === "block" &&
  protocol === "any" &&
  [to, addresses, host, ports, during].every((condition) => condition === undefined);

function letsIn({ mode, deviceRules }: UsbSection): boolean {
  if (mode === "audit") return true;
  return deviceRules.some((line) => {
    const rules = parseRules(line);
    return rules.ok && rules.value.some(({ target }) => target === "allow");
  });
}
