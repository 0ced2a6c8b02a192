/** What a look at the firewall finds: what is judged, shown, and acted on. */
import type { MarkRange } from "@sallyport/shared/policy/network/marks.ts";
import type { DeniedAddress } from "@sallyport/shared/policy/overlay.ts";
import type { OtherFound } from "./network-closed.ts";
import type { Room } from "./network-untracked.ts";

/** Names are part of it, so that judging needs nothing else. */
export type Found =
  | { state: "unable"; reason: string }
  | {
      state: "seen";
      names: Record<string, string[]>;
      cards: Record<string, string>;
      unbound: string[];
      unresolved: string[];
      /** Names that have had no address for an hour: what `names` has of them is blocked and not allowed. */
      gone: string[];
      /** Names with more addresses than rules take, with how many. */
      crowded: Record<string, number>;
      path: { to: string[] | "any"; port: number };
      about: string | null;
      /** Of the table in force. */
      marks: MarkRange | null;
      differs: string[];
      /** Of the wire that is not the guests'. */
      other: OtherFound;
      misplaced: string[];
      /** Devices that no guest is given, on that wire. */
      strays: string[];
      room: Room | null;
      /** Whether somebody reads the log of drops, where that can be seen. */
      isHeard: boolean;
      nowSeconds: number;
      behindSeconds: number;
      repaired: string | null;
      /** Why the ruleset in force is not on disk for the next start of the machine. */
      unkept: string | null;
      isolatedUntil: string | null;
      denied: readonly DeniedAddress[];
      counters: Record<string, number>;
      /** By guest and reason, over all rulesets. */
      drops: Record<string, Record<string, number>>;
    };

export type Seen = Extract<Found, { state: "seen" }>;
