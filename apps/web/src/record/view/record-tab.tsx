"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** The record as fields; a value that filters, or that may be elsewhere, can be clicked. */
import Link from "next/link";
import type { ReactNode } from "react";
import { Facts } from "../../ui/card.tsx";
import { exact, span } from "../../ui/time.tsx";
import type { Field } from "../filter.ts";
import type { RecordFull } from "../store.ts";
import { CLICKED, Value } from "./value.tsx";

type Props = { record: RecordFull; onFilter: (field: Field, value: string) => void };

export function RecordTab({ record, onFilter }: Props) {
  const pick = (field: Field, value: string, shown: ReactNode = value) => (
    <button
      type="button"
      className={CLICKED}
      title={`Filter by ${typeof shown === "string" ? shown : value}`}
      onClick={() => onFilter(field, value)}
    >
      {shown}
    </button>
  );
  const skew = Date.parse(record.received) - Date.parse(record.time);
  const rows: [string, ReactNode][] = [
    ["kind", pick("kind", record.kind)],
    ["severity", pick("severity", record.severity)],
    [
      "workstation",
      record.workstation ? (
        <span key="w">
          {pick("workstation", record.workstation.id, record.workstation.name)}
          {" · "}
          <Link href={`/workstations/${record.workstation.id}`} className="underline">
            its page
          </Link>
        </span>
      ) : (
        "the console itself"
      ),
    ],
    ["guest", record.guest ? pick("guest", record.guest) : "–"],
    ["index", count(record.index)],
    ["time", exact(record.time)],
    ["received", `${exact(record.received)} (${apart(skew)} ${skew < 0 ? "before" : "after"} the agent’s time)`],
  ];
  if (record.marked) rows.push(["marked", record.marked]);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      <Facts rows={rows} names={92} />
      <section>
        <h2 className="mb-2">Body</h2>
        <Body record={record} onFind={(text) => onFilter("text", text)} />
      </section>
    </div>
  );
}

function Body({ record, onFind }: { record: RecordFull; onFind: (text: string) => void }) {
  if (record.withheld) return <p className="text-ink-2">Your role verifies records without reading them.</p>;
  if (record.content === null)
    return (
      <p className="text-ink-2">
        The content is not here: it was given up (a gap record names the range and the reason) or erased later. The
        entry, and so the proof, stands.
      </p>
    );
  if (record.fault) return <p className="text-hold">◐ The content is kept but cannot be read: {record.fault}</p>;
  return (
    <Facts
      rows={flatten(record.body).map(([path, value]) => [
        path,
        <Value key={path} text={value} line={record.text} onFind={onFind} />,
      ])}
      names={128}
    />
  );
}

const apart = (ms: number): string => (Math.abs(ms) < 1000 ? `${Math.abs(ms)} ms` : span(ms));

const LEAVES_MAX = 400;
/** Of a list that is longer, so many of its items are shown: a manifest has a page of its own. */
const ITEMS_MAX = 3;

/** A body as paths and values, in its own order, up to a bound. */
export function flatten(value: unknown): [string, string][] {
  const leaves: [string, string][] = [];
  const walk = (path: string, at: unknown) => {
    if (leaves.length >= LEAVES_MAX) return;
    if (typeof at === "object" && at !== null && Object.keys(at).length > 0) {
      const entries = Object.entries(at);
      const long = Array.isArray(at) && entries.length > ITEMS_MAX + 1;
      for (const [key, each] of long ? entries.slice(0, ITEMS_MAX) : entries)
        walk(Array.isArray(at) ? `${path}[${key}]` : path ? `${path}.${key}` : key, each);

      if (long) leaves.push([path, `… and ${entries.length - ITEMS_MAX} more, in Raw`]);
    } else leaves.push([path || "value", typeof at === "string" ? at : JSON.stringify(at)]);
  };
  walk("", value);
  if (leaves.length >= LEAVES_MAX) leaves.push(["…", "more in Raw"]);
  return leaves;
}
