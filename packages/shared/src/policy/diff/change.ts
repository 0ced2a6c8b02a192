/** One difference between two policies, in words, and what it does. */
import type { SectionName } from "../policy.ts";

/** `looser`: something that was stopped or kept no longer is, or may not be. `tighter`: the reverse. `other`: neither
 *  can be said. A removed rule is always counted, whatever it did. */
export type Effect = "removed" | "looser" | "tighter" | "added" | "other";
export type Change = { section: SectionName; effect: Effect; words: string };
