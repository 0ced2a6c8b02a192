/** policy → appliers → report. Makes the policy in force true, section by section, and says what a look afterwards
 *  found. Woken by a change and by a timer, takes no hint, may run at any time, never tries again inside: the timer
 *  does. A section that fails does not hold up the others. */
import { type Policy, SECTIONS, type SectionName } from "@sallyport/shared/policy/policy.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { type Applier, NotYet } from "../appliers/applier.ts";
import { unknownVolume } from "../appliers/disk.ts";

import { type Setting, settingsApplier } from "../appliers/settings.ts";
import { ungated } from "../appliers/usb.ts";

export type Appliers = { [N in SectionName]: Applier<N> };
export type Outcomes = Record<SectionName, SectionState>;

/** `made` are the appliers that drive this machine; a section that nothing drives yet is kept and not applied. */
export const listAppliers = (
  settings: { log: Setting<Policy["log"]>; agent: Setting<Policy["agent"]> },
  made: Pick<Appliers, "network" | "ids"> & Partial<Appliers>,
): Appliers => ({
  usb: ungated(),
  log: settingsApplier("log", settings.log),
  disk: unknownVolume(),
  agent: settingsApplier("agent", settings.agent),
  ...made,
});

export async function reconcile(appliers: Appliers, wanted: Policy): Promise<Outcomes> {
  const outcomes: Partial<Outcomes> = {};
  for (const name of SECTIONS) outcomes[name] = await settle(appliers, name, wanted);
  return outcomes as Outcomes;
}

/** An applier is never at two things at once: a command may ask for its section while the others are looked at. */
const turns = new WeakMap<Applier, Promise<SectionState>>();

/** One section, now. @throws never */
export function settle<N extends SectionName>(appliers: Appliers, name: N, wanted: Policy): Promise<SectionState> {
  const applier = appliers[name] as unknown as Applier;
  const turn = (turns.get(applier) ?? Promise.resolve()).then(() => settleOne(appliers, name, wanted));
  turns.set(applier, turn);
  return turn;
}

async function settleOne<N extends SectionName>(appliers: Appliers, name: N, wanted: Policy): Promise<SectionState> {
  const applier = appliers[name] as unknown as Applier<N>;
  let before: SectionState | undefined;
  try {
    before = applier.judge(wanted[name], await applier.inspect());
    if (before.outcome !== "failed") return before;
    await applier.apply(wanted[name]);
    return applier.judge(wanted[name], await applier.inspect());
  } catch (error) {
    const reason = (error as Error).message.slice(0, 1024);
    // what is in force all the same
    const found = before?.found === undefined ? {} : { found: before.found };
    if (error instanceof NotYet) return { outcome: "not-applied", reason, pending: true, ...found };
    return { outcome: "failed", reason, ...found };
  }
}
