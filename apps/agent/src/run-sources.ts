/** Keeps each source running: one that throws is reported and started again, the others go on. */
import type { Reported } from "@sallyport/shared/state/reported.ts";
import type { Log } from "./dom0/log.ts";
import { SOURCE_RETRY_MS, SOURCE_RETRY_MS_MAX } from "./limits.ts";
import { jittered, pause } from "./pace.ts";
import type { Outlet, Source, SourceState } from "./sources/source.ts";
import { SpoolClosed } from "./spool/intake.ts";

export type SourcesParts = Omit<Outlet, "state"> & {
  /** One began, or failed; or only says anew where it stands. */
  changed: (what: "state" | "at") => void;
  log: Log;
};

export function runSources(sources: readonly Source[], parts: SourcesParts, signal: AbortSignal) {
  const states = new Map<string, SourceState>();
  const set = (name: string, state: SourceState) => {
    const before = states.get(name);
    states.set(name, state);
    if (JSON.stringify(before) === JSON.stringify(state)) return;
    parts.log.info({ source: name, ...state }, "source.state");
    parts.changed(before?.state === state.state ? "at" : "state");
  };
  const keep = async (source: Source) => {
    let delay = SOURCE_RETRY_MS;
    while (!signal.aborted) {
      const began = performance.now();
      try {
        await source.run({ ...parts, state: (state) => set(source.name, state) }, signal);
        if (!signal.aborted) set(source.name, { state: "failed", reason: "it ended by itself" });
      } catch (error) {
        if (signal.aborted || error instanceof SpoolClosed) return;
        set(source.name, { state: "failed", reason: (error as Error).message.slice(0, 512) });
      }
      if (performance.now() - began > SOURCE_RETRY_MS_MAX) delay = SOURCE_RETRY_MS;
      await pause(jittered(delay), signal);
      delay = Math.min(delay * 2, SOURCE_RETRY_MS_MAX);
    }
  };
  return {
    run: async () => void (await Promise.all(sources.map(keep))),
    /** As the report has them; where a source listens is its reason. */
    states(): Reported["sources"] {
      return Object.fromEntries(
        [...states].map(([name, state]) => [
          name,
          state.state === "running"
            ? { state: state.state, ...(state.at ? { reason: state.at.slice(0, 512) } : {}) }
            : { state: state.state, reason: state.reason.slice(0, 512) },
        ]),
      );
    },
  };
}
