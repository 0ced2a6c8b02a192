/** Rules in force now, and what a device passed under; why it may not be where it is any more, or nothing. Judged by what
 *  was known when it was plugged in and scanned, so that only rules change the answer and no clock: one that only loosens
 *  takes nothing back, and the same rules twice say the same. Pure. */
import { toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { narrow } from "@sallyport/shared/replay/narrow.ts";
import { decide } from "@sallyport/shared/usb/decide.ts";
import { isPinned, ruleFacts } from "@sallyport/shared/usb/device.ts";
import { judgeDevice } from "@sallyport/shared/usb/judge.ts";
import type { Circumstances } from "@sallyport/shared/usb/rules/match.ts";
import { ScanFacts } from "@sallyport/shared/usb/scan.ts";
import { z } from "zod";
import { forJournal, Moment } from "./circumstances.ts";
import type { GateState, Rules } from "./passage-state.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** More denied hashes than these are known by their sum alone once the agent was started again. */
const DENIED_KEPT = 256;

/** What a device passed under. Small: it is journalled with what the guest has. */
export const Basis = z.object({
  /** Of the device rules, in both lists. */
  rules: sha256,
  /** What their conditions were told. Absent in what an agent from before it has written. */
  moment: Moment.optional(),
  /** Of the whole section, when the scan began; with what the scan found, narrowed to what `decide` can tell apart. */
  contents: z
    .object({
      policy: sha256,
      /** When it was decided, in milliseconds. */
      at: z.number(),
      facts: z.array(ScanFacts).max(16),
      denied: z.object({ sum: sha256, first: z.array(sha256).max(DENIED_KEPT) }),
    })
    .optional(),
});
export type Basis = z.infer<typeof Basis>;

const sumOf = (hash: Hash, value: unknown): string => toHex(hash(toUtf8(canonicalText(value as Json))));
const rulesSum = (hash: Hash, { directRules, deviceRules }: UsbSection) => sumOf(hash, [directRules, deviceRules]);

export const deviceBasis = ({ policy, hash }: Pick<Rules, "policy" | "hash">, moment?: Moment): Basis => ({
  rules: rulesSum(hash, policy),
  ...(moment && { moment: forJournal(moment) }),
});

export const contentsBasis = (
  { policy, hash }: Pick<Rules, "policy" | "hash">,
  facts: readonly ScanFacts[],
  at: number,
): NonNullable<Basis["contents"]> => ({
  policy: sumOf(hash, policy),
  at,
  facts: facts.map(narrow),
  denied: { sum: sumOf(hash, policy.denySha256), first: policy.denySha256.slice(0, DENIED_KEPT) },
});

/** `rule` and `about` are those of the `usb.verdict` that says it. */
export type Stricter = { reason: string; rule: string; about: "device" | "contents" };

/** `holds` says whether a file of this hash is on it; absent where nobody knows any more. */
export function stricterNow(
  state: GateState,
  basis: Basis | undefined,
  rules: Pick<Rules, "policy" | "pins" | "hash">,
  known: { circumstances: Circumstances; holds: ((sha256: string) => boolean) | undefined },
): Stricter | undefined {
  if (!basis || isPinned(state.device, rules.pins)) return undefined;
  switch (state.step) {
    case "seen":
    case "held":
    case "removed":
    case "refused":
      return undefined;
    default:
      return byDevice(state, basis, rules, known.circumstances) ?? byContents(state, basis, rules, known.holds);
  }
}

type Passing = Exclude<GateState, { step: "seen" | "held" | "removed" | "refused" }>;

function byDevice(
  state: Passing,
  basis: Basis,
  { policy, hash }: Pick<Rules, "policy" | "hash">,
  circumstances: Circumstances,
): Stricter | undefined {
  if (basis.rules === rulesSum(hash, policy)) return undefined;
  // asked again is not asked anew
  const { asked: _, ...same } = circumstances;
  const { outcome, rule, reason } = judgeDevice(ruleFacts(state.device), policy, same);
  const way = wayOf(state);
  if (outcome === way || (outcome === "direct" && way === "read")) return undefined;
  const now = {
    block: `blocked: ${reason}`,
    read: "to be read before the guest gets it",
    direct: "to be handed to the guest",
    dom0: "for dom0's own use",
  };
  return { reason: `the device rules changed, and it is ${now[outcome]} (${rule})`, rule, about: "device" };
}

function wayOf(state: Passing): "read" | "direct" | "dom0" {
  if (state.step === "classified") return state.way;
  if (state.step !== "attached") return "read";
  return state.mode === "device" ? "direct" : state.mode === "dom0" ? "dom0" : "read";
}

function byContents(
  state: Passing,
  { contents }: Basis,
  { policy, hash }: Pick<Rules, "policy" | "hash">,
  holds: ((sha256: string) => boolean) | undefined,
): Stricter | undefined {
  if (!contents || wayOf(state) !== "read" || !("mode" in state)) return undefined;
  if (contents.policy === sumOf(hash, policy)) return undefined;
  const excepted = "exception" in state && state.exception !== undefined;
  const waits = state.step === "decided" && state.verdict === "hold";
  const stops = (verdict: string) => verdict === "block" || (verdict === "hold" && !excepted && !waits);
  const say = (what: string, rule: string): Stricter => ({
    reason: `policy changed, and it ${what}`.slice(0, 1024),
    rule,
    about: "contents",
  });
  if (!waits && state.mode === "image" && policy.present === "rebuild")
    return say("lets the guest have a copy of what passed only, not the image: plug the stick in again", "present");
  // what the guest has decides whether bytes beside partitions are with it
  const now: UsbSection = { ...policy, present: state.mode === "image" ? policy.present : "rebuild" };
  for (const facts of contents.facts) {
    const { verdict, rule, reason } = decide(facts, now, new Date(contents.at));
    if (stops(verdict)) return say(`would ${verdict} what is on the stick: ${reason} (${rule})`, rule);
  }
  if (policy.mode === "audit" || !stops(policy.infected) || policy.denySha256.length === 0) return undefined;
  const before = new Set(contents.denied.first);
  const found = holds && policy.denySha256.find((sha256) => !before.has(sha256) && holds(sha256));
  if (found) return say(`would ${policy.infected} the file ${found} on the stick (denySha256)`, "denySha256");
  if (holds || contents.denied.sum === sumOf(hash, policy.denySha256)) return undefined;
  if (policy.denySha256.every((sha256) => before.has(sha256))) return undefined;
  return say(
    "denies files by their hash; what is on the stick is not known any more since the agent was started again: plug it in again",
    "denySha256",
  );
}
