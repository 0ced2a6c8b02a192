/** A command and what carries it out. One shape, one file a verb, one list in main.ts. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { CommandOf } from "@sallyport/shared/command/command.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";

/** `found` is what it left behind, in one value; `observations` go onto the trail together with the answer. */
export type Outcome =
  | { outcome: "done"; reason?: string; found?: Json; observations?: Observation[] }
  | { outcome: "failed"; reason: string; found?: Json; observations?: Observation[] };

/** `isAgain`: a process before this one began it and was ended. `noted` is from the first time. */
export type Turn<V extends Verb> = { command: CommandOf<V>; noted: Json; isAgain: boolean; signal: AbortSignal };

export type Performer<V extends Verb> = {
  /** What must be known before anything is done, and cannot be found afterwards. On disk before `perform`.
   *  @throws where it cannot be begun at all */
  note(command: CommandOf<V>): Promise<Json>;
  /** Doing it twice is doing it once: after a kill it goes on from what it finds. @throws where the host says no */
  perform(turn: Turn<V>): Promise<Outcome>;
};
export type Performers = { [V in Verb]: Performer<V> };

export const nothingToNote = async (): Promise<Json> => null;
