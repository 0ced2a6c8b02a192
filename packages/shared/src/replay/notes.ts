/** What a replay of this change cannot know, in sentences; said beside every result. Pure. */
import { canonicalText, type Json } from "../base/canonical.ts";
import type { Policy } from "../policy/policy.ts";
import type { UsbSection } from "../policy/usb.ts";
import { parseRules } from "../usb/rules/parse.ts";
import type { ReplayResult } from "./result.ts";

/** What a device rule may ask for that no record holds. */
function asksMore({ deviceRules, directRules }: UsbSection): boolean {
  const parsed = parseRules([...directRules, ...deviceRules].join("\n"));
  return (
    parsed.ok &&
    parsed.value.some(({ conditions }) => conditions?.values.some(({ name }) => name !== "true" && name !== "false"))
  );
}

type Found = Omit<ReplayResult, "notes">;

export function notesOf({ before, after }: { before: Policy; after: Policy }, found: Found): string[] {
  const differs = (pick: (policy: Policy) => unknown) =>
    canonicalText((pick(before) ?? null) as Json) !== canonicalText((pick(after) ?? null) as Json);
  const changed = new Set(found.sections.filter((each) => each.changed).map(({ section }) => section));
  const notes: [boolean, string][] = [
    [
      changed.has("network"),
      "Traffic that was dropped has no after-life: what would have followed a packet that now passes is not recorded.",
    ],
    [
      changed.has("network"),
      "A flow that nobody answered is not among the decisions: the detector sees it before the firewall does. Drops are recorded up to the firewall's own limit of lines a second.",
    ],
    [
      changed.has("network"),
      "The deny overlay is left out: what it dropped is not among the decisions, and it will go on blocking whatever a policy allows until it ends.",
    ],
    [
      changed.has("usb") && (found.flips["new-allows"] > 0 || found.flips["new-unread"] > 0),
      "A device that was blocked was never read: what is on it, and what its scan would say, is not known.",
    ],
    [
      changed.has("usb") && (asksMore(before.usb) || asksMore(after.usb)),
      "Conditions of device rules that ask for the time of day, other devices, chance, or when a rule was asked or applied before are not known here: a rule that allows does not match then, and one that blocks does.",
    ],
    [
      changed.has("usb"),
      "Exceptions and overlays are left out: a stick that a person let pass is judged by the policy alone.",
    ],
    [
      differs(({ usb }) => [usb.archives, usb.limits]),
      "Limits of scans and archives change: what a scan would have found within other limits is not known.",
    ],
    [
      differs(({ usb }) => usb.present),
      "What the guest gets of a stick that passes changes; that is no verdict but for bytes outside of partitions.",
    ],
    [
      changed.has("ids"),
      "An alert that was suppressed was never recorded, so that lifting a suppression brings back only what came before it. Thresholds are the detector's own code; the replay counts by a model of it.",
    ],
    [differs(({ ids }) => ids.rules), "The rule set changes: which alerts other rules would raise is not known."],
    [
      differs(({ ids }) => ids.homeNet),
      "What counts as the guests' side changes for the detector's rules: which alerts they would raise then is not known.",
    ],
    [
      differs(({ usb }) => usb.definitions),
      "The scanner's definitions change: what they would find in what was scanned is not known.",
    ],
    [
      changed.has("log"),
      "Lines are counted by the minute and taken as evenly spread: a burst within one minute is not seen. Each counts as one, also where a workstation counts a long one as several.",
    ],
    [
      differs(({ log }) => [log.lineBytesMax, log.lingerMs]),
      "How long a line may be, or wait, changes; that is not replayed.",
    ],
    [
      differs(({ log }) => log.mode) || differs(({ ids }) => ids.mode),
      "In audit mode the agent leaves the detector and the limits of guests' logs as they were: the replay takes those of the policy in force to go on.",
    ],
    [
      differs(({ disk, agent }) => [disk, agent]),
      "The sections disk and agent decide nothing that is recorded, and are not replayed.",
    ],
    [
      found.otherwiseThen > 0,
      `${found.otherwiseThen.toLocaleString("en")} decisions came out otherwise then than by the policy in force now: another policy was in force, an exception, or the deny overlay. They are compared with the one in force.`,
    ],
  ];
  return notes.filter(([holds]) => holds).map(([, note]) => note);
}
