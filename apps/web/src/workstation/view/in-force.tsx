"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import { SECTIONS, type SectionName } from "@sallyport/shared/policy/policy.ts";
import type { OverlayState, Reported } from "@sallyport/shared/state/reported.ts";
import Link from "next/link";
import { Card } from "../../ui/card.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { Ago } from "../../ui/time.tsx";
import { foundWords, isLoose } from "../found.ts";
import type { WorkstationRow } from "../store.ts";
import { outcomeWord } from "./words.tsx";

const TONE: Record<string, Tone> = { applied: "allow", audit: "info", "not-applied": "hold", failed: "block" };

function toneOf(name: SectionName, found: Reported["sections"][SectionName] | undefined): Tone {
  if (!found) return "info";
  if (found.outcome === "applied" && isLoose(name, found.found)) return "hold";
  return TONE[found.outcome] ?? "info";
}

/** What the section's own program says it has, on lines of its own. */
const Has = ({ words }: { words: string | undefined }) =>
  words ? <span className="mono block text-xs whitespace-pre-line text-ink-3">{words}</span> : null;

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
                <Mark tone={toneOf(name, found)}>{found ? outcomeWord(found.outcome) : "not reported"}</Mark>{" "}
                {found?.reason}
                <Has words={foundWords(name, found?.found)} />
              </span>
            </li>
          );
        })}
        {reported?.overlays
          ?.filter(({ entries }) => entries > 0)
          .map((overlay) => (
            <Denied key={overlay.audience} overlay={overlay} />
          ))}
      </ul>
    </Card>
  );
}

const WHOSE: Record<string, string> = { fleet: "the fleet", group: "its group", workstation: "itself" };

/** Blocked here whatever the sections say, for the fleet, for its group or for itself. */
function Denied({ overlay }: { overlay: OverlayState }) {
  const parts = [overlay.usb, overlay.network].flatMap((part) => (part ? [part] : []));
  const worst = ["failed", "not-applied"].find((each) => parts.some(({ outcome }) => outcome === each)) ?? "applied";
  const reasons = parts.flatMap(({ reason }) => reason ?? []);
  return (
    <li className="grid grid-cols-[64px_1fr] items-baseline">
      <Link className="underline" href="/deny">
        blocked
      </Link>
      <span className="min-w-0 text-ink-2 [overflow-wrap:anywhere]">
        <Mark tone={TONE[worst] ?? "info"}>{outcomeWord(worst)}</Mark> {plural(overlay.entries, "thing")} denied for{" "}
        {WHOSE[overlay.audience.split("/")[0]!] ?? overlay.audience}
        {reasons.length > 0 && `: ${reasons.join(" ")}`}
      </span>
    </li>
  );
}
