/** What a replay found: for a page, as JSON, and for a pipeline. Grows, never changes. */
import { z } from "zod";
import { FLIPS } from "./flip.ts";

export const REPLAYED = ["usb", "network", "ids", "log"] as const;
export type Replayed = (typeof REPLAYED)[number];

const flips = z.object(
  Object.fromEntries(FLIPS.map((flip) => [flip, z.number()])) as Record<(typeof FLIPS)[number], z.ZodNumber>,
);
export const SUBJECTS = ["workstation", "stick", "guest", "rule"] as const;
export type Subject = (typeof SUBJECTS)[number];

/** `key` is what a link needs, `name` what a person reads. */
export const Top = z.object({ key: z.string(), name: z.string(), flips });
export type Top = z.infer<typeof Top>;
const Tops = z.object({ rows: z.array(Top), others: flips });

/** One input that flips, with the records it was seen in. */
export const Example = z.object({
  flip: z.enum(FLIPS),
  section: z.enum(REPLAYED),
  words: z.string(),
  before: z.string(),
  after: z.string(),
  rule: z.string(),
  workstation: z.object({ id: z.string(), name: z.string() }),
  guest: z.string(),
  trail: z.number(),
  index: z.number(),
  lastIndex: z.number(),
  count: z.number(),
  at: z.string(),
});
export type Example = z.infer<typeof Example>;

export const ReplayResult = z.object({
  decisions: z.number(),
  flips,
  sections: z.array(z.object({ section: z.enum(REPLAYED), changed: z.boolean(), decisions: z.number(), flips })),
  by: z.object({ workstation: Tops, stick: Tops, guest: Tops, rule: Tops }),
  examples: z.array(Example),
  /** Decisions of which the history does not say enough, by why. */
  unknown: z.array(z.object({ why: z.string(), decisions: z.number() })),
  /** Decided otherwise then than by the policy that is in force now. */
  otherwiseThen: z.number(),
  /** Records that are not among the inputs yet; an older console does not say. */
  waiting: z.number().optional(),
  /** What a replay cannot know, in sentences. */
  notes: z.array(z.string()),
});
export type ReplayResult = z.infer<typeof ReplayResult>;
