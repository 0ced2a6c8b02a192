/** One thing told to many workstations: what can be, and what would become of it at each that was chosen. Pure. */
import { VERB_RULES } from "@sallyport/shared/command/verb.ts";
import { z } from "zod";

export const AT_ONCE_MAX = 500;
/** As many ids as a query's address holds. */
export const STATES_MAX = 100;

/** What destroys is asked for on the workstation's own page. */
export const ManyVerb = z.enum(["isolate", "release", "pause", "resume", "rescan", "diagnostics"]);
export type ManyVerb = z.infer<typeof ManyVerb>;

const ofOneGuest = (verb: ManyVerb): boolean => verb === "pause" || verb === "resume";

/** A workstation as the person saw it while choosing. `guests`: as it reported them; none where it reported nothing. */
export type Chosen = {
  id: string;
  name: string;
  state: "enrolled" | "quarantined" | "revoked";
  group: { threshold: number };
  guests: readonly { id: string }[];
};
export type Foreseen =
  | { will: "send"; guest?: string }
  | { will: "wait"; guest?: string }
  | { will: "not"; why: string };

/** The console decides anew when it is told. */
export function foreseen(verb: ManyVerb, { state, group, guests }: Chosen): Foreseen {
  if (state !== "enrolled") return { will: "not", why: `it is ${state} and takes no commands` };
  const will = VERB_RULES[verb].signers === "threshold" && group.threshold > 1 ? "wait" : "send";
  if (!ofOneGuest(verb)) return { will };
  const [guest, ...more] = guests;
  if (!guest) return { will: "not", why: "it reported no guest" };
  if (more.length > 0) return { will: "not", why: `it reported ${guests.length} guests: say which on its own page` };
  return { will, guest: guest.id };
}
