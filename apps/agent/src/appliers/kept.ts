/** The sections that nothing enforces in this version. They are kept and reported as not applied, with the reason: a
 *  rule that is only stored is never shown as one that holds. */
import type { Policy, SectionName } from "@sallyport/shared/policy/policy.ts";
import type { Applier } from "./applier.ts";

const REASONS = {
  usb: "No USB controller is held by this version: devices are not gated. Images laid into the sticks folder are scanned and judged by this section.",
} as const satisfies Partial<Record<SectionName, string>>;
export type KeptSection = keyof typeof REASONS;
export const KEPT_SECTIONS = Object.keys(REASONS) as KeptSection[];

export function keptApplier<N extends KeptSection>(section: N): Applier<N> {
  return {
    section,
    inspect: async () => null,
    judge: (_wanted: Policy[N]) => ({ outcome: "not-applied", reason: REASONS[section] }),
    apply: async () => {},
  };
}
