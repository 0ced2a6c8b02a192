/** What a look at the detector found → whether the `ids` section is true. Pure. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { IdsSection } from "@sallyport/shared/policy/ids.ts";
import { absentSignatures, thresholdText, whyNotEnough } from "@sallyport/shared/policy/ids-files.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { type DetectorConfig, detectorYaml } from "./ids-yaml.ts";

/** More than this part of the packets unseen is said aloud. */
const UNSEEN_SHARE = 0.01;

export type Running = { version: string; loaded: number; failed: number; packets: number; drops: number };
export type Found = {
  running: Running | null;
  /** Why it sees nothing on its interface; it answers all the same, and would not say so. */
  unseeing?: string;
  /** It runs, and what it sees has not reached its file of events for long. */
  isMute: boolean;
  /** It runs, and most of what came lately went by it. */
  overrun: boolean;
  why: string;
  rules: { sha256: string; count: number; signatures: readonly number[] } | null;
  /** The first rules that it does not understand. */
  notUnderstood: readonly string[];
  thresholds: string | null;
  yaml: string | null;
  /** What we know to be loaded: the sums of rules and thresholds. */
  known: string | null;
};

export function blindness(found: Found): string | undefined {
  if (!found.running) return `The intrusion detector is blind: ${found.why}`.slice(0, 500);
  if (found.running.loaded === 0) return "The intrusion detector is blind: it runs with no rules.";
  if (found.unseeing !== undefined) return `The intrusion detector is blind: ${found.unseeing}`;
  if (found.isMute)
    return "The intrusion detector is blind: it runs, and nothing of what it sees is written to log/eve.json any more.";
  if (found.overrun)
    return "The intrusion detector is blind: it does not keep up, more than half of the packets go by it.";
  return undefined;
}

export function judge(
  wanted: IdsSection,
  found: Found,
  config: DetectorConfig,
  sum: (text: string) => string,
): SectionState {
  const failed = (reason: string): SectionState => ({
    outcome: "failed",
    reason: reason.slice(0, 1024),
    found: shown(found),
  });
  const blind = blindness(found);
  if (blind) return failed(blind);
  const { loaded, packets, drops } = found.running!;
  const unseen = drops > packets * UNSEEN_SHARE ? `${drops} of ${packets} packets were not seen.` : undefined;
  const differs = differsFrom(wanted, found, config, sum);
  if (wanted.mode === "audit") {
    const reason = [differs && `As it is: ${differs}.`, unseen].filter(Boolean).join(" ");
    return { outcome: "audit", ...(reason && { reason }), found: shown(found) };
  }
  if (differs) return failed(differs);
  const { count } = found.rules!;
  const few = whyNotEnough(wanted, count, loaded);
  if (few) return failed([few, ...found.notUnderstood].join("; "));
  const lost =
    loaded === count
      ? undefined
      : `${count - loaded} of ${count} rules are not understood by the detector and are not in force: ${found.notUnderstood.join("; ")}.`;
  const absent = absentWords(absentSignatures(wanted, found.rules!.signatures));
  const reason = [lost, unseen, absent].filter(Boolean).join(" ").slice(0, 1024);
  return { outcome: "applied", ...(reason && { reason }), found: shown(found) };
}

function differsFrom(
  wanted: IdsSection,
  found: Found,
  config: DetectorConfig,
  sum: (text: string) => string,
): string | undefined {
  if (found.rules === null) return "there are no rules";
  if (wanted.rules !== undefined && found.rules.sha256 !== wanted.rules)
    return `the rule set in force is ${found.rules.sha256}`;
  if (found.thresholds !== sum(thresholdText(wanted))) return "suppressions and thresholds are not the policy's";
  if (found.yaml !== sum(detectorYaml(config, wanted, false))) return "the detector's configuration is another";
  if (found.known !== `${found.rules.sha256} ${found.thresholds}`)
    return "the files were changed, and what is loaded is not known";
  return undefined;
}

const ABSENT_NAMED_MAX = 8;

function absentWords(ids: readonly number[]): string | undefined {
  if (ids.length === 0) return undefined;
  const more = ids.length > ABSENT_NAMED_MAX ? ` and ${ids.length - ABSENT_NAMED_MAX} more` : "";
  return `Suppressed or bounded, and not in the rule set, so that nothing comes of it: ${ids.length === 1 ? "signature" : "signatures"} ${ids.slice(0, ABSENT_NAMED_MAX).join(", ")}${more}.`;
}

function shown({ running, rules }: Found): Json {
  const set = rules && { sha256: rules.sha256, count: rules.count };
  return JSON.parse(canonicalText({ running, rules: set } as unknown as Json)) as Json;
}
