/** isolate, release → the firewall's applier. The journal holds until when; here it is made true at once, beside the
 *  other sections, and looked at. */
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { nothingToNote, type Outcome, type Performer } from "./performer.ts";

/** Makes the network section true now, and says what was found. */
export type SettleNetwork = () => Promise<SectionState>;

const isolatedIn = ({ found }: SectionState): string | undefined => {
  const until =
    typeof found === "object" && found !== null && !Array.isArray(found)
      ? (found as Record<string, unknown>).isolatedUntil
      : undefined;
  return typeof until === "string" ? until : undefined;
};

export const isolatePerformer = (settle: SettleNetwork): Performer<"isolate"> => ({
  note: nothingToNote,
  async perform(): Promise<Outcome> {
    const state = await settle();
    const until = isolatedIn(state);
    if (state.outcome === "applied" && until !== undefined)
      return { outcome: "done", reason: `the guests' network is cut until ${until}`, found: { until } };
    return {
      outcome: "failed",
      reason: `The guests' network is not cut: ${state.reason ?? state.outcome}. It is tried again at each look until it ends.`,
    };
  },
});

export const releasePerformer = (settle: SettleNetwork): Performer<"release"> => ({
  note: nothingToNote,
  async perform(): Promise<Outcome> {
    const state = await settle();
    if (isolatedIn(state) === undefined && state.outcome !== "failed")
      return { outcome: "done", reason: "the network section of the policy holds again" };
    return { outcome: "failed", reason: `The network is still cut: ${state.reason ?? state.outcome}` };
  },
});
