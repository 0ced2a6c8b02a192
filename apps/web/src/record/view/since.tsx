"use client";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input } from "../../ui/field.tsx";
import { moment, zone } from "../../ui/time.tsx";
import type { Filter } from "../filter.ts";
import { readTyped } from "./typed.ts";

const HOUR_MS = 3_600_000;
const SPANS: [string, number][] = [
  ["Last hour", HOUR_MS],
  ["Last 24 hours", 24 * HOUR_MS],
  ["Last 7 days", 7 * 24 * HOUR_MS],
  ["Last 30 days", 30 * 24 * HOUR_MS],
];

/** Sets `since` to a moment, so that the address means the same tomorrow. */
export function Since({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const [asking, setAsking] = useState(false);
  const { since, until, ...rest } = filter;
  const isChosen = since !== undefined || until !== undefined;
  const choose = (value: string) => {
    if (value === "between") return setAsking(true);
    const span = SPANS.find(([name]) => name === value)?.[1];
    onChange(span === undefined ? rest : { ...rest, since: new Date(Date.now() - span).toISOString() });
  };
  return (
    <>
      <select
        aria-label="Received since"
        value={isChosen ? "chosen" : "all"}
        onChange={(event) => choose(event.target.value)}
        className="max-w-[230px] rounded-[6px] border border-line-strong bg-panel px-2 py-1"
      >
        <option value="all">Any time</option>
        {isChosen && <option value="chosen">{rangeWords(since, until)}</option>}
        {SPANS.map(([name]) => (
          <option key={name}>{name}</option>
        ))}
        <option value="between">Between…</option>
      </select>
      {asking && (
        <Between
          {...{ since, until }}
          onClose={() => setAsking(false)}
          onChange={(between) => {
            setAsking(false);
            onChange({ ...rest, ...between });
          }}
        />
      )}
    </>
  );
}

function rangeWords(since: string | undefined, until: string | undefined): string {
  if (since && until) return "Between two moments";
  return since ? `Since ${moment(since)}` : `Until ${moment(until!)}`;
}

type Range = { since?: string; until?: string };
type BetweenProps = {
  since: string | undefined;
  until: string | undefined;
  onClose: () => void;
  onChange: (range: Range) => void;
};

/** A field of a moment takes and gives the browser's own time, with no zone. */
function inField(iso: string | undefined): string {
  if (iso === undefined) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function Between({ since, until, onClose, onChange }: BetweenProps) {
  const [faults, setFaults] = useState<{ since?: string; until?: string }>({});
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [from, to] = [readTyped(String(form.get("since"))), readTyped(String(form.get("until")))];
    if (!from.ok || !to.ok)
      return setFaults({ ...(!from.ok && { since: from.fault }), ...(!to.ok && { until: to.fault }) });
    if (from.at && to.at && from.at >= to.at) return setFaults({ until: "the end comes before the beginning" });
    onChange({ ...(from.at && { since: from.at }), ...(to.at && { until: to.at }) });
  };
  return (
    <Dialog open onClose={onClose} title="Received between" description={`In ${zone()}, the time of this browser.`}>
      <form onSubmit={submit} className="grid gap-3">
        <Input
          label="From"
          name="since"
          type="datetime-local"
          step={1}
          defaultValue={inField(since)}
          autoFocus
          fault={faults.since}
        />
        <Input
          label="Until"
          name="until"
          type="datetime-local"
          step={1}
          defaultValue={inField(until)}
          fault={faults.until}
        />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit">
            Show
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
