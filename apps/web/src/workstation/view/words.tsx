"use client";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { Drift } from "@sallyport/shared/state/drift.ts";
import { Mark } from "../../ui/mark.tsx";
import { useNow } from "../../ui/time.tsx";
import { isolationWord, type Signs, SKEW_MS_MAX, status } from "../status.ts";
import type { WorkstationRow } from "../store.ts";

export function StatusMark({ signs }: { signs: Signs }) {
  const { tone, word, reason } = status(useNow(), signs);
  return (
    <Mark tone={tone} title={reason}>
      {word}
    </Mark>
  );
}

export function IsolationMark({ row }: { row: Pick<WorkstationRow, "reported"> }) {
  const { tone, word, reason } = isolationWord(row.reported?.layout);
  return (
    <Mark tone={tone} title={reason}>
      {word}
    </Mark>
  );
}

/** As a section's outcome is said: `not-applied` is how it travels. */
export const outcomeWord = (outcome: string): string => outcome.replace("-", " ");

export function DriftMark({ drift, desired }: { drift: Drift; desired: { order: number } | null }) {
  if (!desired) return <span className="text-ink-3">none published</span>;
  switch (drift.state) {
    case "none":
      return <Mark tone="allow">r{desired.order} in force</Mark>;
    case "unknown":
      return (
        <Mark tone="hold" title={drift.reason}>
          not reported
        </Mark>
      );
    case "behind":
      return (
        <Mark tone="hold" title={drift.reason}>
          behind r{desired.order}
        </Mark>
      );
    case "partial": {
      const failed = drift.sections.filter(({ outcome }) => outcome === "failed").length;
      return (
        <Mark
          tone={failed > 0 ? "block" : "hold"}
          title={drift.sections.map(({ name, reason }) => `${name}: ${reason}`).join("\n")}
        >
          r{desired.order}, {drift.sections.length} of 6 not applied
        </Mark>
      );
    }
    default:
      return unreachable(drift);
  }
}

export function Skew({ ms }: { ms: number | null }) {
  if (ms === null) return <span className="text-ink-3">–</span>;
  const text = `${ms > 0 ? "+" : ms < 0 ? "−" : ""}${(Math.abs(ms) / 1000).toFixed(1)} s`;
  return Math.abs(ms) > SKEW_MS_MAX ? <span className="text-hold">◐ {text}</span> : text;
}
