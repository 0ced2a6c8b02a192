/** A held device's facts and policy in; what the gate does with it out, before any driver binds. */
import { deniedDevice, type OverlayEntry } from "../policy/overlay.ts";
import type { UsbSection } from "../policy/usb.ts";
import { OVERLAY_RULE } from "./decide.ts";
import { type Circumstances, type DeviceFacts, matchRules } from "./rules/match.ts";
import { parseRules } from "./rules/parse.ts";
import { printRule } from "./rules/print.ts";
import type { Rule } from "./rules/rule.ts";

/** `read`: copied once, listed and scanned. `direct`: the guest gets the device, contents not verified. `dom0`: a hub,
 *  which only carries others; each of them is judged by itself. */
export type Judgement = { outcome: "read" | "direct" | "dom0" | "block"; rule: string; reason: string };

/** Mass storage, transparent SCSI: bulk-only, or UAS. */
const STORAGE = new Set(["08:06:50", "08:06:62"]);
const HUB = "09:";

/** What the overlay denies is blocked before any rule is asked. */
export function judgeDevice(
  device: DeviceFacts,
  policy: UsbSection,
  circumstances: Circumstances = {},
  overlay: readonly OverlayEntry[] = [],
): Judgement {
  const denied = deniedDevice(overlay, device);
  if (denied) return { outcome: "block", rule: OVERLAY_RULE, reason: deniedDeviceReason(denied) };
  const direct = matchRules(rulesOf(policy.directRules), device, circumstances);
  if (direct?.target === "allow") {
    return {
      outcome: "direct",
      rule: printRule(direct.rule),
      reason: "handed over by a direct rule; contents not verified",
    };
  }
  const decided = matchRules(rulesOf(policy.deviceRules), device, circumstances);
  if (decided === null) return { outcome: "block", rule: "implicit", reason: "no device rule matches" };
  const rule = printRule(decided.rule);
  if (decided.target !== "allow") return { outcome: "block", rule, reason: `a device rule says ${decided.target}` };
  const types = device.interfaces.map((type) => type.toLowerCase());
  const count = device.interfaceCount ?? types.length;
  const has = device.interfaces.join(", ") || "none";
  if (count !== 1 || types.length === 0)
    return { outcome: "block", rule, reason: `a stick has one interface; this has ${has}` };
  // a UAS stick's one interface has two alternate settings, bulk-only and UAS
  if (types.every((type) => STORAGE.has(type)))
    return { outcome: "read", rule, reason: "one storage interface, allowed by a device rule" };
  if (types.every((type) => type.startsWith(HUB)))
    return { outcome: "dom0", rule, reason: "a hub, allowed by a device rule" };
  return {
    outcome: "block",
    rule,
    reason: `${has} is no storage that can be read; only a direct rule hands a device over`,
  };
}

export const deniedDeviceReason = ({ id, until, reason, what }: OverlayEntry): string =>
  `denied until ${until} by ${what.kind === "device" ? what.rule : what.kind} (overlay ${id}): ${reason}`;

/** The policy was read with its rules; one that cannot be read now is our own bug.
 *  @throws Error */
function rulesOf(lines: readonly string[]): Rule[] {
  const parsed = parseRules(lines.join("\n"));
  if (!parsed.ok) throw new Error(`a policy with an unreadable device rule: ${parsed.error.message}`);
  return parsed.value;
}
