/** One look at a rollout: where it stands, the facts and the clock in; where it goes and what to do out. Pure: a worker
 *  that was killed asks again and gets the same answer. */
import { spanWords } from "../base/span.ts";
import { unreachable } from "../base/unreachable.ts";
import { type Facts, isApplied, tripped } from "./guard.ts";
import type { Plan } from "./plan.ts";
import { type Counts, NOBODY, total } from "./standing.ts";
import type { RolloutState } from "./state.ts";
import { waveWords } from "./wave.ts";

/** Time between two looks counts up to this, so that a clock that jumps, or a worker that was away, skips no soak. */
export const LOOK_MS_MAX = 30_000;
/** A rollback that takes longer is called aborted with those that are not back by name. */
export const BACK_MS_MAX = 3_600_000;

export type Rollout = {
  plan: Plan;
  /** Whether a fallback was signed beforehand; a group's first policy has none. */
  hasFallback: boolean;
  state: RolloutState;
  /** The clock at the last look, milliseconds; null before the first. */
  lookedAt: number | null;
};

/** `finish`: the revision is the whole group's now. `fall-back`: publish the fallback to the whole group. */
export type RolloutAct = "start" | "next-wave" | "soak" | "pause" | "fall-back" | "finish" | "end";
export type Advanced = { state: RolloutState; lookedAt: number; acts: RolloutAct[]; reasons: string[] };

/** At most one step, and none until time has passed since the last look: the same facts and clock twice move once. */
export function advance(rollout: Rollout, facts: Facts, now: number): Advanced {
  const { plan, state, lookedAt, hasFallback } = rollout;
  const passedMs = lookedAt === null ? 0 : Math.min(LOOK_MS_MAX, Math.max(0, now - lookedAt));
  const stay = (next: RolloutState = state): Advanced => ({ state: next, lookedAt: now, acts: [], reasons: [] });
  const go = (next: RolloutState, act: RolloutAct, reason: string): Advanced => ({
    state: next,
    lookedAt: now,
    acts: [act],
    reasons: [reason],
  });
  switch (state.name) {
    case "pending":
      return go(enter(0), "start", `wave 1 of ${plan.waves.length} begins: ${waveWords(plan.waves[0]!)}`);
    case "running":
    case "soaking": {
      const at = { ...state, elapsedMs: state.elapsedMs + passedMs };
      if (passedMs === 0) return stay(at);
      const trip = tripped(plan, at, facts);
      if (trip?.outcome === "abort") return leave(at.wave, trip.reason, hasFallback, go);
      if (trip) {
        const { guard, measured, reason } = trip;
        const { wave, elapsedMs, waived } = at;
        return go({ name: "paused", was: at.name, wave, elapsedMs, waived, guard, measured, reason }, "pause", reason);
      }
      return at.name === "running"
        ? whileRunning(plan, at, facts.waves[at.wave] ?? NOBODY, stay, go)
        : whileSoaking(plan, at, stay, go);
    }
    case "aborting": {
      const at = { ...state, elapsedMs: state.elapsedMs + passedMs };
      if (passedMs === 0) return stay(at);
      const { failed, waiting, unreachable: away } = facts.back;
      const ended = { name: "aborted", wave: at.wave, reason: at.reason } as const;
      const later = away > 0 ? `; ${away} that cannot be reached get the fallback when they are back` : "";
      if (failed + waiting === 0) return go(ended, "end", `all that can be reached are back on the fallback${later}`);
      if (at.elapsedMs < BACK_MS_MAX) return stay(at);
      return go(ended, "end", `${failed + waiting} are not back on the fallback after an hour; look at them${later}`);
    }
    case "paused":
    case "aborted":
    case "superseded":
    case "done":
      return stay();
    default:
      return unreachable(state);
  }
}

type Stay = (next?: RolloutState) => Advanced;
type Go = (next: RolloutState, act: RolloutAct, reason: string) => Advanced;
type At<N extends RolloutState["name"]> = Extract<RolloutState, { name: N }>;

export const enter = (wave: number, waived: At<"running">["waived"] = {}): At<"running"> => ({
  name: "running",
  wave,
  elapsedMs: 0,
  waived,
});

function whileRunning(plan: Plan, at: At<"running">, counts: Counts, stay: Stay, go: Go): Advanced {
  const wave = plan.waves[at.wave]!;
  if (total(counts) === 0) {
    if (wave.label === undefined) return onward(plan, at, `nobody is in wave ${at.wave + 1}`, go);
    const reason = `no workstation of the group has the label ${wave.label} any more, so wave ${at.wave + 1} would prove nothing; promote it to go on without`;
    return go({ ...at, name: "paused", was: "running", guard: "applied", measured: 0, reason }, "pause", reason);
  }
  if (!isApplied(plan, counts)) return stay(at);
  const soaking = { ...at, name: "soaking", elapsedMs: 0 } as const;
  const words = `wave ${at.wave + 1} is in force on ${counts.done} of ${total(counts)}`;
  return go(soaking, "soak", `${words}; watched for ${spanWords(wave.soakSeconds)}`);
}

function whileSoaking(plan: Plan, at: At<"soaking">, stay: Stay, go: Go): Advanced {
  const { soakSeconds } = plan.waves[at.wave]!;
  if (at.elapsedMs < soakSeconds * 1000) return stay(at);
  return onward(plan, at, `wave ${at.wave + 1} held for ${spanWords(soakSeconds)}`, go);
}

/** To the next wave, or done after the last. */
export function onward(
  plan: Plan,
  { wave, waived }: Pick<At<"running">, "wave" | "waived">,
  why: string,
  go: Go,
): Advanced {
  const next = plan.waves[wave + 1];
  if (!next) return go({ name: "done", wave }, "finish", `${why}; the whole group has it`);
  return go(
    enter(wave + 1, waived),
    "next-wave",
    `${why}; wave ${wave + 2} of ${plan.waves.length} begins: ${waveWords(next)}`,
  );
}

/** Out of the rollout: back to the fallback, or, where there is none, no further. */
export function leave(wave: number, reason: string, hasFallback: boolean, go: Go): Advanced {
  if (hasFallback) return go({ name: "aborting", wave, elapsedMs: 0, reason }, "fall-back", reason);
  const words = `${reason}; the group had no policy before, so those that were told keep it and nobody else gets it`;
  return go({ name: "aborted", wave, reason: words }, "end", words);
}
