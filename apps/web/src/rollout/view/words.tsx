import { count } from "@sallyport/shared/base/count.ts";
import type { StandingWord } from "@sallyport/shared/rollout/standing.ts";
import type { RolloutState } from "@sallyport/shared/rollout/state.ts";
import { Dot, Mark, type Tone } from "../../ui/mark.tsx";

const STATE_TONES: Record<RolloutState["name"], Tone> = {
  pending: "info",
  running: "info",
  soaking: "info",
  paused: "hold",
  aborting: "block",
  aborted: "block",
  superseded: "info",
  done: "allow",
};
export const STANDING_TONES: Record<StandingWord, Tone> = {
  done: "allow",
  failed: "block",
  waiting: "info",
  unreachable: "hold",
};

export const StateMark = ({ state }: { state: RolloutState }) => (
  <Mark tone={STATE_TONES[state.name]}>{state.name}</Mark>
);

/** Always all four, also where one is nobody. */
export function FourCounts({ counts }: { counts: Record<StandingWord, number> }) {
  return (
    <span className="inline-flex flex-wrap gap-x-3.5 gap-y-1">
      {(["done", "failed", "waiting", "unreachable"] as const).map((word) => (
        <span key={word} className={counts[word] === 0 ? "text-ink-3" : undefined}>
          {counts[word] === 0 ? (
            <span>
              <span className="mono">0</span> {word}
            </span>
          ) : (
            <Dot tone={STANDING_TONES[word]}>
              <span className="mono">{count(counts[word])}</span> {word}
            </Dot>
          )}
        </span>
      ))}
    </span>
  );
}

/** "wave 2 of 3", or nothing before the first. */
export function waveWord(state: RolloutState, waves: number): string {
  if (!("wave" in state) || state.wave < 0) return "not begun";
  return `wave ${state.wave + 1} of ${waves}`;
}
