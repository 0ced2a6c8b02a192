/** One immutable thing dom0 saw or did, before it has a place in a trail. */
import type { z } from "zod";
import type { GuestId } from "../base/ids.ts";
import type { BODIES, KnownKind } from "./kinds.ts";
import type { Severity } from "./severity.ts";

/** What a source hands to the spool. `time` is milliseconds of the agent's clock; `text` is one line for people. */
export type Observation<K extends KnownKind = KnownKind> = {
  [Each in K]: {
    kind: Each;
    severity: Severity;
    time: number;
    guest?: GuestId;
    text: string;
    body: z.input<(typeof BODIES)[Each]>;
  };
}[K];
