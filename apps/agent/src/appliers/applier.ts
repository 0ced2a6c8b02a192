/** policy → applier → dom0. One shape, one file for each section, one contract suite: look, judge purely, change. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Policy, SectionName } from "@sallyport/shared/policy/policy.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";

/** Not as wanted yet and on the way there: what is missing is being fetched. */
export class NotYet extends Error {
  override name = "NotYet";
}

export type Applier<N extends SectionName = SectionName> = {
  section: N;
  /** What is in force, found by looking. */
  inspect(): Promise<Json>;
  /** Pure: whether what was found is what is wanted. Anything but `not-applied` from here is believed by people. */
  judge(wanted: Policy[N], found: Json): SectionState;
  /** Makes it true; doing it twice is doing it once. @throws where the host refuses */
  apply(wanted: Policy[N]): Promise<void>;
};
