/** The ways in which a past decision can come out otherwise, each named from what the candidate does. */
import { z } from "zod";

export const FLIPS = [
  "new-blocks",
  "new-holds",
  "new-allows",
  "new-unread",
  "new-suppressed",
  "new-alerts",
  "new-lost-lines",
  "new-kept-lines",
] as const;
export const Flip = z.enum(FLIPS);
export type Flip = z.infer<typeof Flip>;

export const FLIP_WORDS: Record<Flip, string> = {
  "new-blocks": "would be blocked, and passed or waited",
  "new-holds": "would wait for a person, and did not",
  "new-allows": "would pass, and were blocked or held",
  "new-unread": "would reach the guest with nobody having read them",
  "new-suppressed": "alerts would not be raised any more",
  "new-alerts": "alerts would be raised again",
  "new-lost-lines": "lines would be held back, and were kept",
  "new-kept-lines": "lines would be kept, and were held back",
};

export type Flips = Record<Flip, number>;
export const noFlips = (): Flips => Object.fromEntries(FLIPS.map((flip) => [flip, 0])) as Flips;
export const countFlips = (flips: Flips): number => FLIPS.reduce((sum, flip) => sum + flips[flip], 0);

/** What a policy answers. `direct`: the guest gets the device itself. `unknown`: the history does not say enough. */
export type Outcome = "pass" | "direct" | "hold" | "block" | "unknown";
export type Answer = { outcome: Outcome; rule: string; reason: string };

export const unknownAnswer = (reason: string): Answer => ({ outcome: "unknown", rule: "", reason });

/** Nothing where both say the same; of answers that are not known nothing can be said. */
export function flipOf(before: Outcome, after: Outcome): Flip | undefined {
  if (before === after || before === "unknown" || after === "unknown") return undefined;
  if (after === "direct") return "new-unread";
  if (after === "block") return "new-blocks";
  return after === "hold" ? "new-holds" : "new-allows";
}
