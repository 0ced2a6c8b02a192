/** Recorded devices and contents → what a `usb` section answers, by the gate's own `judgeDevice` and `decide`. Pure. */
import { unreachable } from "../base/unreachable.ts";
import type { UsbSection } from "../policy/usb.ts";
import { decide } from "../usb/decide.ts";
import { judgeDevice } from "../usb/judge.ts";
import type { Answer } from "./flip.ts";
import type { DeviceInput, ScanInput } from "./input.ts";

/** Rules may ask for the time of day, for other devices, for chance. As in the gate, where that is not known a rule that
 *  allows does not match and one that blocks does. */
export function judgeDeviceInput({ facts, pinned }: DeviceInput, policy: UsbSection): Answer {
  if (pinned) return { outcome: "pass", rule: "pinned", reason: "pinned at installation" };
  const { outcome, rule, reason } = judgeDevice(facts, policy);
  switch (outcome) {
    case "read":
    case "dom0":
      return { outcome: "pass", rule, reason };
    case "direct":
      return { outcome: "direct", rule, reason };
    case "block":
      return { outcome: "block", rule, reason };
    default:
      return unreachable(outcome);
  }
}

/** `denied`: those of its files' hashes that some policy denies. */
export function judgeScanInput(input: ScanInput, policy: UsbSection, denied: readonly string[], at: Date): Answer {
  const { facts } = input;
  const files = denied
    .filter((sha256) => policy.denySha256.includes(sha256))
    .map((sha256) => ({
      path: sha256,
      size: 0,
      md5: null,
      sha256,
      type: "application/octet-stream",
      finding: "clean" as const,
    }));
  const { verdict, rule } = decide({ ...facts, manifest: [...facts.manifest, ...files] }, policy, at);
  if (input.missing > 0 && verdict !== "block")
    return { outcome: "unknown", rule: "", reason: "parts of its manifest never came" };
  return { outcome: verdict === "allow" ? "pass" : verdict, rule, reason: RULE_WORDS[rule] ?? rule };
}

/** Names of files are not among the inputs: the record has them. */
const RULE_WORDS: Record<string, string> = {
  denySha256: "holds a file denied by its hash",
  infected: "holds an infected file",
  denyTypes: "holds a file of a denied type",
  unscannable: "not all of it could be scanned",
  outside: "holds bytes outside of its partitions that nothing has looked at",
  clean: "clean",
  audit: "audit mode lets everything pass",
};
