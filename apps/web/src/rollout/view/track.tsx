"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** Waves side by side, as they come: which is under way, how each stands, and the clock of the one that soaks. */
import { total } from "@sallyport/shared/rollout/standing.ts";
import { cx } from "../../ui/class.ts";
import { span, useNow } from "../../ui/time.tsx";
import type { RolloutFull, WaveRow } from "../store.ts";
import { FourCounts } from "./words.tsx";

const LOOK_MS_MAX = 30_000;
const PARTS = [
  ["done", "bg-allow"],
  ["failed", "bg-block"],
  ["unreachable", "bg-hold"],
  ["waiting", "bg-line-strong"],
] as const;

export function Track({ rollout }: { rollout: RolloutFull }) {
  const { state, waves } = rollout;
  const at = "wave" in state ? state.wave : -1;
  return (
    <ol
      className="grid gap-3"
      style={{ gridTemplateColumns: `repeat(auto-fit, minmax(210px, 1fr))` }}
      aria-label="Waves"
    >
      {waves.map((wave, index) => (
        <li
          // biome-ignore lint/suspicious/noArrayIndexKey: a wave's number is what it is
          key={index}
          aria-current={index === at && !rollout.endedAt ? "step" : undefined}
          className={cx(
            "grid content-start gap-1.5 rounded-[8px] border px-3 py-2.5",
            index === at && !rollout.endedAt ? "border-ink bg-panel" : "border-line bg-sunk",
          )}
        >
          <p className="flex items-baseline justify-between gap-2">
            <b className="font-medium">
              {index + 1}. {wave.words}
            </b>
            <span className="text-ink-3">{place(index, at, state.name === "done")}</span>
          </p>
          <Bar wave={wave} />
          <FourCounts counts={wave.counts} />
          <p className="text-xs text-ink-3">
            {wave.told} told of {plural(total(wave.counts), "workstation")} ·{" "}
            {index === at ? <Watch rollout={rollout} wave={wave} /> : `soaks ${span(wave.soakSeconds * 1000)}`}
          </p>
        </li>
      ))}
    </ol>
  );
}

function place(index: number, at: number, isDone: boolean): string {
  if (index < at || isDone) return "passed";
  return index === at ? "now" : "not yet";
}

function Bar({ wave: { counts } }: { wave: WaveRow }) {
  const all = total(counts);
  return (
    <div aria-hidden className="flex h-1.5 gap-px overflow-hidden rounded-full bg-line">
      {PARTS.map(
        ([word, colour]) =>
          counts[word] > 0 && (
            <span key={word} className={colour} style={{ width: `${(100 * counts[word]) / all}%` }} />
          ),
      )}
    </div>
  );
}

/** Time under watch is what the worker summed, and no more than one look's worth on top. */
function Watch({ rollout, wave }: { rollout: RolloutFull; wave: WaveRow }) {
  const now = useNow();
  const { state, lookedAt, plan } = rollout;
  if (!("elapsedMs" in state) || state.name === "aborting") return <>soaks {span(wave.soakSeconds * 1000)}</>;
  const since =
    state.name === "paused" || !lookedAt ? 0 : Math.max(0, Math.min(LOOK_MS_MAX, now - Date.parse(lookedAt)));
  const elapsed = state.elapsedMs + since;
  const soaks = state.name === "soaking" || (state.name === "paused" && state.was === "soaking");
  const whole = soaks ? wave.soakSeconds * 1000 : plan.guards.applied.withinSeconds * 1000;
  return (
    <span suppressHydrationWarning>
      {soaks ? "soaked" : "being applied for"} <span className="mono">{span(Math.min(elapsed, whole))}</span> of{" "}
      <span className="mono">{span(whole)}</span>
      {state.name === "paused" && ", the clock stands"}
    </span>
  );
}
