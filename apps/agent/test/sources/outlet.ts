/** A small spool that forgets nothing, and how to run a source over it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { contentBytes } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Outlet, Source, SourceState } from "../../src/sources/source.ts";

export type Kept = {
  outlet: Outlet;
  observations: Observation[];
  positions: Map<string, Json>;
  states: SourceState[];
  /** While set, nothing is taken. */
  hold: { until?: Promise<void> | undefined };
  lineBytesMax: number;
};

/** `after` says how many parcels are still taken before the spool dies, as a killed agent's would. */
export function keeper(positions = new Map<string, Json>(), dieAfter = Infinity): Kept {
  const policy = Policy.parse({});
  let parcels = 0;
  const kept: Kept = {
    observations: [],
    positions,
    states: [],
    hold: {},
    lineBytesMax: 8192,
    outlet: {
      async emit({ observations, position }) {
        await kept.hold.until;
        await delay(0);
        if (parcels++ >= dieAfter) throw new Error("killed");
        for (const each of observations) {
          bodySchema(each.kind)?.parse(each.body);
          contentBytes(each);
        }
        kept.observations.push(...observations);
        if (position) positions.set(position.name, structuredClone(position.value));
        return { kept: observations.length, suppressed: 0, refused: 0 };
      },
      position: (name) => positions.get(name),
      settings: () => ({ ...policy, log: { ...policy.log, lineBytesMax: kept.lineBytesMax } }),
      state: (state) => kept.states.push(state),
    },
  };
  return kept;
}

export type Running = { kept: Kept; stop: () => Promise<void>; finished: Promise<void> };

export function run(source: Source, kept = keeper()): Running {
  const controller = new AbortController();
  const finished = source.run(kept.outlet, controller.signal);
  finished.catch(() => {});
  return {
    kept,
    finished,
    stop: () => {
      controller.abort();
      return finished;
    },
  };
}

/** Waits for a state, at most so long that a broken test ends. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > 60_000) throw new Error(`never came true: ${what}`);
    await delay(5);
  }
}

export const place = async ({ kept }: Running): Promise<string> => {
  await until(() => kept.states.some((state) => state.state === "running"), "the source runs");
  const running = kept.states.find((state) => state.state === "running");
  return (running as { at: string }).at;
};
