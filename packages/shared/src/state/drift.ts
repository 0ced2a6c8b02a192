/** The difference between what should be in force and what an agent found in force. Pure. */
import type { PolicyDigest } from "../base/ids.ts";
import { SECTIONS, type SectionName } from "../policy/policy.ts";
import type { Reported } from "./reported.ts";

export type DesiredState = { digest: PolicyDigest; order: number };

/** `none`: in force as wanted. `unknown`: never reported. `behind`: another revision. `partial`: the right revision,
 *  but these sections are not as it says. */
export type Drift =
  | { state: "none" }
  | { state: "unknown"; reason: string }
  | { state: "behind"; reason: string }
  | { state: "partial"; sections: { name: SectionName; outcome: "not-applied" | "failed"; reason: string }[] };

/** Nothing wanted is no drift. A section that was not reported counts as failed. */
export function drift(desired: DesiredState | undefined, reported: Reported | undefined): Drift {
  if (!desired) return { state: "none" };
  if (!reported) return { state: "unknown", reason: "the workstation has not reported yet" };
  if (reported.policy?.digest !== desired.digest || reported.policy.order < desired.order) {
    if (reported.refused && reported.refused.order === desired.order) {
      return { state: "behind", reason: `it refused order ${desired.order}: ${reported.refused.reason}` };
    }
    return {
      state: "behind",
      reason: reported.policy
        ? `it has order ${reported.policy.order} in force; wanted is ${desired.order}`
        : `it has no policy in force; wanted is order ${desired.order}`,
    };
  }
  const sections = SECTIONS.flatMap((name) => {
    const found = reported.sections[name];
    if (found?.outcome === "applied" || found?.outcome === "audit") return [];
    return [{ name, outcome: found?.outcome ?? ("failed" as const), reason: found?.reason ?? "not reported" }];
  });
  return sections.length > 0 ? { state: "partial", sections } : { state: "none" };
}
