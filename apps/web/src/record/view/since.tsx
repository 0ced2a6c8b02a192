"use client";
import type { Filter } from "../filter.ts";

const HOUR_MS = 3_600_000;
const SPANS: [string, number][] = [
  ["Last hour", HOUR_MS],
  ["Last 24 hours", 24 * HOUR_MS],
  ["Last 7 days", 7 * 24 * HOUR_MS],
  ["Last 30 days", 30 * 24 * HOUR_MS],
];

/** Sets `since` to a moment, so that the address means the same tomorrow. */
export function Since({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const choose = (value: string) => {
    const { since: _, until: __, ...rest } = filter;
    const span = SPANS.find(([name]) => name === value)?.[1];
    onChange(span === undefined ? rest : { ...rest, since: new Date(Date.now() - span).toISOString() });
  };
  return (
    <select
      aria-label="Received since"
      value={filter.since ? "chosen" : "all"}
      onChange={(event) => choose(event.target.value)}
      className="rounded-[6px] border border-line-strong bg-panel px-2 py-1"
    >
      <option value="all">Any time</option>
      {filter.since && <option value="chosen">Since {new Date(filter.since).toLocaleString()}</option>}
      {SPANS.map(([name]) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}
