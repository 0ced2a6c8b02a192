/** Where a rollout stands. Stored as it is, so a worker that starts again goes on from here. */
import { z } from "zod";
import { GUARDS } from "./plan.ts";

const Reason = z.string().max(1024);
/** What a guard counted when a person went on in spite of it: only more than this trips it again, in later waves too. */
const Waived = z.partialRecord(z.enum(GUARDS), z.number());
/** `elapsedMs` is time under watch, summed by looks; no clock is subtracted from another. */
const At = { wave: z.int().min(0), elapsedMs: z.number().min(0), waived: Waived };

export const RolloutState = z.discriminatedUnion("name", [
  z.object({ name: z.literal("pending") }),
  /** The wave is told and not yet applied by enough. */
  z.object({ name: z.literal("running"), ...At }),
  /** Applied; watched for a while before the next. */
  z.object({ name: z.literal("soaking"), ...At }),
  /** `guard` and what it measured, or null where a person paused. */
  z.object({
    name: z.literal("paused"),
    was: z.enum(["running", "soaking"]),
    ...At,
    guard: z.enum(GUARDS).nullable(),
    measured: z.number(),
    reason: Reason,
  }),
  /** The fallback is published; those that were told are on their way back to it. */
  z.object({ name: z.literal("aborting"), wave: z.int().min(0), elapsedMs: z.number().min(0), reason: Reason }),
  z.object({ name: z.literal("aborted"), wave: z.int().min(0), reason: Reason }),
  z.object({ name: z.literal("superseded"), wave: z.int().min(-1), reason: Reason }),
  z.object({ name: z.literal("done"), wave: z.int().min(0) }),
]);
export type RolloutState = z.infer<typeof RolloutState>;
export type StateName = RolloutState["name"];

export const ENDED = ["aborted", "superseded", "done"] as const satisfies readonly StateName[];
export type Ended = Extract<RolloutState, { name: (typeof ENDED)[number] }>;
export const isEnded = (state: RolloutState): state is Ended => (ENDED as readonly string[]).includes(state.name);

/** The last wave that has been let go; -1 before the first. */
export const waveAt = (state: RolloutState): number => (state.name === "pending" ? -1 : state.wave);

/** Waves whose workstations may be told now, 0 to this; -1 while nobody may be. */
export function tellsThrough(state: RolloutState): number {
  return state.name === "running" || state.name === "soaking" ? state.wave : -1;
}
