"use client";
import { SECTIONS } from "@sallyport/shared/policy/policy.ts";
import Link from "next/link";
import { Card } from "../../ui/card.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { Ago } from "../../ui/time.tsx";
import { foundWords } from "../found.ts";
import type { WorkstationRow } from "../store.ts";

const TONE: Record<string, Tone> = { applied: "allow", audit: "info", "not-applied": "hold", failed: "block" };

/** What the section's own program says it has, on a line of its own. */
const Has = ({ words }: { words: string | undefined }) =>
  words ? <span className="mono block text-xs text-ink-3">{words}</span> : null;

/** Desired against reported, section by section, as the agent found it by looking. */
export function InForce({ row }: { row: WorkstationRow }) {
  const { desired, reported, drift } = row;
  return (
    <Card
      title="In force"
      aside={
        <>
          wanted {desired ? `r${desired.order}` : "nothing"}, found{" "}
          {reported?.policy ? `r${reported.policy.order}` : reported ? "none" : "not reported"}
          {reported?.policy?.old && ", grown old"} ·{" "}
          <Link className="underline" href={`/workstations/${row.id}/policy`}>
            earlier
          </Link>
        </>
      }
    >
      {drift.state === "behind" && <p className="mb-2 text-hold">◐ {drift.reason}</p>}
      {reported?.refused && (
        <p className="mb-2 text-block">
          ■ refused {reported.refused.order !== undefined && `r${reported.refused.order} `}
          <Ago time={reported.refused.at} />: {reported.refused.reason}
        </p>
      )}
      <ul className="grid gap-1.5">
        {SECTIONS.map((name) => {
          const found = reported?.sections[name];
          return (
            <li key={name} className="grid grid-cols-[64px_1fr] items-baseline">
              <span>{name}</span>
              <span className="min-w-0 text-ink-2 [overflow-wrap:anywhere]">
                <Mark tone={found ? (TONE[found.outcome] ?? "info") : "info"}>{found?.outcome ?? "not reported"}</Mark>{" "}
                {found?.reason}
                <Has words={foundWords(name, found?.found)} />
              </span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
