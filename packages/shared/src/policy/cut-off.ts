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
  const walled = new Set<string>();
  for (const rule of rules.filter(({ direction }) => direction === "out")) {
    if (rule.verdict === "allow") return true;
    for (const family of wallOf(rule)) walled.add(family);
    if (walled.size === FAMILIES.length) return false;
  }
  return otherwise === "allow";
}

const FAMILIES = ["0.0.0.0/0", "::/0"] as const;

/** The families of which it blocks whatever comes to it, always. */
function wallOf({ protocol, to, addresses, host, ports, during }: NetworkRule): readonly string[] {
  if (protocol !== "any" || ports !== undefined || during !== undefined) return [];
  const far = [...(to === undefined ? [] : [to]), ...(addresses ?? [])];
  if (far.length === 0) return host === undefined ? FAMILIES : [];
  return FAMILIES.filter((family) => far.includes(family));
}

function letsIn({ mode, deviceRules, directRules }: UsbSection): boolean {
  return mode === "audit" || [deviceRules, directRules].some(allowsAny);
}

/** Whether a rule that allows stands before one that stops every device. */
function allowsAny(lines: readonly string[]): boolean {
  const rules = parseRules(lines.join("\n"));
  if (!rules.ok) return false;
  const wall = rules.value.findIndex(
    ({ target, attributes, conditions }) =>
      target !== "allow" && conditions === null && Object.keys(attributes).length === 0,
  );
  const reached = wall === -1 ? rules.value : rules.value.slice(0, wall);
  return reached.some(({ target }) => target === "allow");
}
