/** The sections the agent enforces upon itself: `log` and `agent`. Changed live; what is found is read back from those
 *  that use it. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Policy } from "@sallyport/shared/policy/policy.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import type { Applier } from "./applier.ts";

export type Setting<T> = { get(): T; set(value: T): void };

/** In audit mode nothing is changed: what was in force stays, and the report says audit. */
export function settingsApplier<N extends "log" | "agent">(section: N, setting: Setting<Policy[N]>): Applier<N> {
  return {
    section,
    inspect: async () => structuredClone(setting.get()) as unknown as Json,
    judge(wanted, found): SectionState {
      if (wanted.mode === "audit") return { outcome: "audit", found };
      return canonicalText(found) === canonicalText(wanted)
        ? { outcome: "applied", found }
        : { outcome: "failed", reason: "what is in force is not what the policy says", found };
    },
    async apply(wanted) {
      if (wanted.mode === "enforce") setting.set(wanted);
    },
  };
}
