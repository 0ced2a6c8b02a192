"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** What a candidate would have decided otherwise, asked for before it is signed: how far back, how far it is, what it found. */
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Select } from "../../ui/field.tsx";
import { Result } from "./result.tsx";
import { type Candidate, useReplay } from "./use-replay.ts";

const SPANS: Record<string, string> = {
  "24h": "the last 24 hours",
  "7d": "the last 7 days",
  "30d": "the last 30 days",
  "90d": "the last 90 days",
  "366d": "the last year",
};

type Props = {
  group: { id: string; name: string };
  /** Absent: there is none that could be replayed. */
  candidate: Candidate | undefined;
  /** As the candidate is called: `this text`, `r3`. */
  named: string;
};

export function Replay({ group, candidate, named }: Props) {
  const mayRead = useMay("content");
  const [since, setSince] = useState("30d");
  const { standing, start, stop } = useReplay();
  if (!mayRead) return null;
  const isRunning = standing.state === "running";
  return (
    <Card title="Replay" aside={`${named} over what ${group.name} recorded, against what is in force`}>
      <div className="grid gap-3.5">
        <div className="flex flex-wrap items-end gap-2.5">
          <div className="w-[190px]">
            <Select label="Over" value={since} onChange={(event) => setSince(event.target.value)} disabled={isRunning}>
              {Object.entries(SPANS).map(([span, words]) => (
                <option key={span} value={span}>
                  {words}
                </option>
              ))}
            </Select>
          </div>
          {isRunning ? (
            <Button onClick={stop}>Stop</Button>
          ) : (
            <Button
              look="main"
              disabled={!candidate}
              onClick={() => candidate && start({ group: group.id, since, candidate })}
            >
              Run replay
            </Button>
          )}
        </div>
        {standing.state === "running" && (
          <div role="status" className="grid gap-1">
            <progress className="w-full" value={standing.share} max={1} aria-label="How far the replay is" />
            <p className="text-ink-2">{count(standing.decisions)} decisions replayed</p>
          </div>
        )}
        {standing.state === "stopped" && (
          <p role="status" className="text-ink-2">
            Stopped. Nothing was changed.
          </p>
        )}
        {standing.state === "failed" && (
          <p role="alert" className="whitespace-pre-wrap text-block">
            ■ {standing.reason}
          </p>
        )}
        {standing.state === "done" && (
          <>
            {isOther(standing.candidate, candidate) && (
              <p role="status" className="text-hold">
                ◐ The candidate was changed since: this is of what it was before.
              </p>
            )}
            <Result against={standing.against} result={standing.result} />
          </>
        )}
      </div>
    </Card>
  );
}

const isOther = (ran: Candidate, now: Candidate | undefined): boolean => JSON.stringify(ran) !== JSON.stringify(now);
