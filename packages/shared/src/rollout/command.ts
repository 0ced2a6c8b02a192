/** What a person does to a rollout by hand. Pure; the worker's next look goes on from what this answers. */
import { fail, ok, type Result } from "../base/result.ts";
import { type Advanced, leave, onward, type Rollout } from "./advance.ts";
import { isEnded, type RolloutState, waveAt } from "./state.ts";

export const COMMANDS = ["pause", "resume", "promote", "abort"] as const;
export type Command = (typeof COMMANDS)[number];

export type Commanded = Result<Omit<Advanced, "lookedAt">, string>;

/** `reason` is the person's own words. The error says why not. */
export function command(rollout: Omit<Rollout, "lookedAt">, asked: Command, reason: string): Commanded {
  const { plan, state, hasFallback } = rollout;
  if (isEnded(state)) return fail(`It is ${state.name} already; nothing of it can be changed.`);
  const to = (next: RolloutState, act: Advanced["acts"][number], why: string) => ({
    state: next,
    lookedAt: 0,
    acts: [act],
    reasons: [why],
  });
  switch (asked) {
    case "pause":
      if (state.name !== "running" && state.name !== "soaking")
        return fail(
          state.name === "paused" ? "It is paused already." : `While it is ${state.name} it cannot be paused.`,
        );
      return ok(to({ ...state, name: "paused", was: state.name, guard: null, measured: 0, reason }, "pause", reason));
    case "resume": {
      if (state.name !== "paused") return fail("It is not paused, so there is nothing to resume.");
      const { was, wave, guard } = state;
      // the wave's time begins anew
      const elapsedMs = guard === "applied" ? 0 : state.elapsedMs;
      const next = { name: was, wave, elapsedMs, waived: knownOf(state) };
      return ok(to(next, was === "running" ? "next-wave" : "soak", reason));
    }
    case "promote":
      if (state.name === "pending" || state.name === "aborting")
        return fail(`While it is ${state.name} there is no wave to go on from.`);
      return ok(onward(plan, { wave: state.wave, waived: knownOf(state) }, reason, to));
    case "abort":
      if (state.name === "aborting") return fail("It is going back already.");
      return ok(leave(Math.max(0, waveAt(state)), reason, hasFallback && state.name !== "pending", to));
  }
}

type Going = Extract<RolloutState, { waived: unknown }>;

/** What the guard that stopped it found is known to whoever goes on: only worse trips it again. */
function knownOf(state: Going): Going["waived"] {
  if (state.name !== "paused" || state.guard === null || state.guard === "applied") return state.waived;
  return { ...state.waived, [state.guard]: state.measured };
}
