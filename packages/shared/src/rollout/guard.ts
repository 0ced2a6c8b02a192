/** Guards: what each measures, and which trips. Pure. */
import { spanWords } from "../base/span.ts";
import type { GuardName, Outcome, Plan } from "./plan.ts";
import { type Counts, total } from "./standing.ts";
import type { RolloutState } from "./state.ts";

/** What the rows say at one look. `told` counts only those told so far, over all waves. */
export type Facts = {
  /** By wave. */
  waves: readonly Counts[];
  told: Counts;
  refused: number;
  /** Of those told that were heard from then: how many there are, and how many are silent now. */
  heard: number;
  silent: number;
  /** Alerts on the told since they were told, and how many the same ones raised in as long a time before. */
  alerts: { since: number; before: number };
  /** Those told, held against the fallback. */
  back: Counts;
};

/** `measured` counts workstations, or alerts: a share would hide new failures among those who are told later. */
export type Trip = { guard: GuardName; outcome: Outcome; measured: number; reason: string };

type Watched = Extract<RolloutState, { name: "running" | "soaking" }>;

/** The first guard that trips; one that says abort before one that says pause. */
export function tripped(plan: Plan, state: Watched, facts: Facts): Trip | undefined {
  const trips = measures(plan, facts).filter(({ guard, measured }) => measured > (state.waived[guard] ?? -1));
  const late = lateness(plan, state, facts);
  if (late) trips.push(late);
  return trips.find(({ outcome }) => outcome === "abort") ?? trips[0];
}

function measures({ guards }: Plan, { told, refused, heard, silent, alerts }: Facts): Trip[] {
  const trips: Trip[] = [];
  const all = total(told);
  const share = (guard: "failures" | "refusals" | "silent", count: number, of: number, did: string) => {
    const set = guards[guard];
    if (!set || of === 0 || count / of <= set.share) return;
    const reason = `${count} of ${of} ${did} (${percent(count / of)}; more than ${percent(set.share)} is too many)`;
    trips.push({ guard, outcome: set.outcome, measured: count, reason });
  };
  share("refusals", refused, all, "workstations that were told refused the statement");
  share("failures", told.failed - refused, all, "workstations that were told could not make it true");
  share("silent", silent, heard, "workstations fell silent after they were told");
  const limit = guards.alerts && Math.max(guards.alerts.atLeast, guards.alerts.times * alerts.before);
  if (guards.alerts && limit !== null && alerts.since >= limit && alerts.since > 0)
    trips.push({
      guard: "alerts",
      outcome: guards.alerts.outcome,
      measured: alerts.since,
      reason: `${alerts.since} alerts on the workstations that were told; in as long a time before, the same ones raised ${round(alerts.before)}`,
    });
  return trips;
}

/** The wave's time is over and too few of those that can be reached have it in force. */
function lateness(plan: Plan, state: Watched, facts: Facts): Trip | undefined {
  if (state.name !== "running" || state.elapsedMs < appliedMsMax(plan, state.wave, facts)) return undefined;
  const counts = facts.waves[state.wave];
  if (!counts || isApplied(plan, counts)) return undefined;
  const { share, withinSeconds, outcome } = plan.guards.applied;
  const { done, failed, waiting, unreachable } = counts;
  const reason =
    done + failed + waiting === 0
      ? `none of the ${unreachable} workstations of wave ${state.wave + 1} can be reached`
      : `after ${withinSeconds} s only ${done} of ${done + failed + waiting} reachable workstations of wave ${state.wave + 1} have it in force (${percent(share)} wanted)`;
  return { guard: "applied", outcome, measured: 1 - share, reason };
}

/** Telling a large wave at the plan's pace takes time of its own. */
export function appliedMsMax(plan: Plan, wave: number, { waves }: Facts): number {
  const telling = Math.ceil(total(waves[wave] ?? { done: 0, failed: 0, waiting: 0, unreachable: 0 }) / plan.perSecond);
  return (plan.guards.applied.withinSeconds + telling) * 1000;
}

/** Enough of a wave's reachable workstations have it in force; those that are away get it when they are back. */
export function isApplied({ guards }: Plan, { done, failed, waiting }: Counts): boolean {
  const reachable = done + failed + waiting;
  return reachable > 0 && done / reachable >= guards.applied.share;
}

export type GuardState = { guard: GuardName; outcome: Outcome | "off"; isTripped: boolean; words: string };

/** Each guard in words: what it watches and what it finds. */
export function guardStates(plan: Plan, state: RolloutState, facts: Facts): GuardState[] {
  const { guards } = plan;
  const { told, refused, heard, silent, alerts } = facts;
  const all = total(told);
  const tripped = state.name === "paused" ? state.guard : null;
  const row = (guard: GuardName, words: string): GuardState => {
    const set = guards[guard];
    if (set === null) return { guard, outcome: "off", isTripped: false, words: "off" };
    return { guard, outcome: set.outcome, isTripped: guard === tripped, words };
  };
  const at = "wave" in state && state.wave >= 0 ? facts.waves[state.wave] : facts.waves[0];
  const { done, failed, waiting } = at ?? { done: 0, failed: 0, waiting: 0 };
  const { share, withinSeconds } = guards.applied;
  const most = (share = 0) => (share === 0 ? "none may" : `at most ${percent(share)} may`);
  return [
    row(
      "applied",
      `${done} of ${done + failed + waiting} reachable have it; ${percent(share)} wanted in ${spanWords(withinSeconds)}`,
    ),
    row("failures", `${Math.max(0, told.failed - refused)} of ${all} failed; ${most(guards.failures?.share)}`),
    row("refusals", `${refused} of ${all} refused; ${most(guards.refusals?.share)}`),
    row(
      "alerts",
      `${alerts.since} alerts since; ${round(alerts.before)} usual, ${guards.alerts?.atLeast} or ${guards.alerts?.times} times as many is too many`,
    ),
    row("silent", `${silent} of ${heard} fell silent; ${most(guards.silent?.share)}`),
  ];
}

export const percent = (share: number): string => `${round(share * 100)} %`;
const round = (value: number): string => String(Math.round(value * 10) / 10);
