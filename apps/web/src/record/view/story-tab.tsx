"use client";
/** One event, told: what happened, what belongs to it, what stood around it, where else it was seen. Each line is a record
 *  with an address of its own, and is proved here when asked. */
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Fragment, type ReactNode, useState } from "react";
import { BlockOffers } from "../../deny/view/button.tsx";
import { Proved, useProved } from "../../trail/view/proved.tsx";
import { useApi } from "../../trpc/client.tsx";
import { searchOf } from "../../ui/address.ts";
import { Button } from "../../ui/button.tsx";
import { count, plural } from "../../ui/bytes.ts";
import { Facts } from "../../ui/card.tsx";
import { cx } from "../../ui/class.ts";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Clock, span } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Field } from "../filter.ts";
import { TIES } from "../links.ts";
import type { RecordFull, RecordRow } from "../store.ts";
import type { Chapter, Story, StoryAlert } from "../story.ts";
import { tell } from "../tell.ts";
import { ScanStory } from "./scan-story.tsx";
import { severityTone } from "./tone.ts";
import { Value } from "./value.tsx";

type Props = {
  record: RecordFull;
  onOpen: (row: RecordRow) => void;
  onFilter: (field: Field, value: string) => void;
};
type Proving = { asked: (row: RecordRow) => boolean; ask: (row: RecordRow) => void };

const keyOf = (row: { trail: number; index: number }) => `${row.trail}.${row.index}`;
export const addressOf = (row: RecordRow): string =>
  `/explore?${row.workstation ? `workstation=${row.workstation.id}&` : ""}open=${keyOf(row)}`;

export function StoryTab({ record, onOpen, onFilter }: Props) {
  const api = useApi();
  const { trail, index } = record;
  const found = useQuery(api.record.story.queryOptions({ trail, index }));
  const [asked, setAsked] = useState<ReadonlySet<string>>(new Set());
  const story = found.data;
  const proving: Proving = {
    asked: (row) => asked.has(keyOf(row)),
    ask: (row) => setAsked((before) => new Set(before).add(keyOf(row))),
  };
  const all = story ? [...story.chapters, ...story.elsewhere] : [];
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <Told record={record} onFind={(text) => onFilter("text", text)} />
      {!record.withheld && <BlockOffers kind={record.kind} body={record.body} />}
      {story?.alerts.map((alert) => (
        <AlertLine key={alert.id} alert={alert} />
      ))}
      {found.isError ? (
        <Fault message={found.error.message} again={() => void found.refetch()} />
      ) : !story ? (
        <Waiting inside />
      ) : (
        <>
          <Timeline record={record} story={story} onOpen={onOpen} proving={proving} />
          {story.elsewhere.length > 0 && (
            <Elsewhere record={record} rows={story.elsewhere} onOpen={onOpen} proving={proving} />
          )}
        </>
      )}
      <Verified record={record} count={all.length} onAll={() => setAsked(new Set(all.map(keyOf)))} />
    </div>
  );
}

function Told({ record, onFind }: { record: RecordFull; onFind: (text: string) => void }) {
  if (record.kind === "usb.scan" && record.body != null) return <ScanStory record={record} />;
  const told = tell(record.kind, record.body);
  if (record.withheld) return <p className="text-ink-2">Your role sees that this happened, not what it says.</p>;
  if (!told) return null;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-2">
      <p>
        <Untrusted text={told.sentence} />
      </p>
      {told.facts.length > 0 && (
        <Facts
          names={84}
          rows={told.facts.map(([name, value]) => [
            name,
            <Value key={name} text={value} line={record.text} onFind={onFind} />,
          ])}
        />
      )}
    </div>
  );
}

function AlertLine({ alert }: { alert: StoryAlert }) {
  return (
    <p className="flex items-baseline gap-2">
      <Mark tone={severityTone(alert.severity)}>{alert.state} alert</Mark>
      <Link href={`/alerts?state=${alert.state}&open=${alert.id}`} className="min-w-0 truncate hover:underline">
        <Untrusted text={alert.title} />
      </Link>
    </p>
  );
}

function Timeline({ record, story, onOpen, proving }: Omit<Props, "onFilter"> & { story: Story; proving: Proving }) {
  const where = record.workstation ? (
    <>
      {record.guest && (
        <>
          <span className="mono">{record.guest}</span> on{" "}
        </>
      )}
      <span className="mono">{record.workstation.name}</span>
    </>
  ) : (
    "the console"
  );
  const tied = story.chapters.filter(({ ties }) => ties.length > 0).length;
  return (
    <section aria-label="In order">
      <h2 className="mb-2">
        Before and after, {where}
        {tied > 0 && <span className="font-normal text-ink-3"> · {plural(tied, "record")} of the same story</span>}
      </h2>
      <ol className="ml-1 border-l-[1.5px] border-line-strong">
        {story.chapters.map((row, at) => {
          const before = story.chapters[at - 1];
          const between = before ? row.index - before.index - 1 : 0;
          return (
            <Fragment key={row.index}>
              {between > 0 && before && <Between count={between} ms={Date.parse(row.time) - Date.parse(before.time)} />}
              <ChapterLine row={row} here={row.index === record.index} onOpen={onOpen} proving={proving} />
            </Fragment>
          );
        })}
      </ol>
      <p className="text-xs text-ink-3">
        Order is by index; times are {record.workstation ? "the agent’s" : "the console’s"} clock.
        {story.bounded && " There are more of the same story than are listed; filter by its values in Record."}
      </p>
      <Around record={record} />
    </section>
  );
}

const MINUTE_MS = 60_000;
const AROUND_MINUTES = [1, 10, 60];

/** All that was committed around it: here, and in the whole fleet. */
function Around({ record }: { record: RecordFull }) {
  const at = Date.parse(record.received);
  const href = (minutes: number, workstation?: string) => {
    const moved = (by: number) => new Date(at + by * minutes * MINUTE_MS).toISOString();
    return `/explore?${searchOf({ workstation, since: moved(-1), until: moved(1), open: keyOf(record) })}`;
  };
  const links = (workstation?: string) =>
    AROUND_MINUTES.map((minutes) => (
      <Fragment key={minutes}>
        {" "}
        <Link href={href(minutes, workstation)} className="underline">
          ±{minutes} min
        </Link>
      </Fragment>
    ));
  return (
    <p className="mt-1 text-xs text-ink-2">
      All that was received around it
      {record.workstation && (
        <>
          , from <span className="mono">{record.workstation.name}</span>: {links(record.workstation.id)}
        </>
      )}
      , from the whole fleet: {links()}
    </p>
  );
}

function Between({ count: records, ms }: { count: number; ms: number }) {
  return (
    <li className="pb-2.5 pl-3.5 text-xs text-ink-3">
      {plural(records, "other record")}
      {ms >= 1000 && `, ${span(ms)}`}
    </li>
  );
}

function ChapterLine({
  row,
  here,
  onOpen,
  proving,
}: {
  row: Chapter;
  here: boolean;
  onOpen: Props["onOpen"];
  proving: Proving;
}) {
  const tone = severityTone(row.severity);
  const tied = row.ties.length > 0;
  return (
    <li className="group relative pb-2.5 pl-3.5" aria-current={here ? "true" : undefined}>
      <span
        aria-hidden
        className={cx(
          "absolute top-[6px] -left-[4.5px] h-[7px] w-[7px] rounded-full",
          here && "ring-3 ring-pick",
          tone === "block" ? "bg-block" : tone === "hold" ? "bg-hold" : here || tied ? "bg-ink" : "bg-ink-3",
        )}
      />
      <div className="flex items-baseline gap-2">
        <span className="mono shrink-0 text-ink-3">
          <Clock time={row.time} />
        </span>
        <span className="mono min-w-0 truncate text-ink-2">{row.kind}</span>
        <Ties row={row} />
        <span className="ml-auto shrink-0">
          <Proved at={row} asked={proving.asked(row)} onAsk={() => proving.ask(row)} />
        </span>
      </div>
      {here ? (
        <span className="font-medium">this record</span>
      ) : (
        <Open row={row} onOpen={onOpen} dim={!tied}>
          {row.text === null ? `record ${count(row.index)}` : <Untrusted text={row.text.slice(0, 200)} />}
        </Open>
      )}
    </li>
  );
}

function Ties({ row }: { row: Chapter }) {
  if (row.ties.length === 0) return null;
  return (
    <span className="shrink-0 rounded-[4px] border border-line px-1 text-[11px] text-ink-2">
      {row.ties.map((tie) => TIES[tie]).join(", ")}
    </span>
  );
}

/** A click opens it here; the address opens it anywhere. */
function Open({
  row,
  onOpen,
  dim,
  children,
}: {
  row: RecordRow;
  onOpen: Props["onOpen"];
  dim: boolean;
  children: ReactNode;
}) {
  return (
    <Link
      href={addressOf(row)}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        onOpen(row);
      }}
      className={cx("line-clamp-2 hover:underline [overflow-wrap:anywhere]", dim && "text-ink-2")}
    >
      {children}
    </Link>
  );
}

function Elsewhere({
  record,
  rows,
  onOpen,
  proving,
}: {
  record: RecordFull;
  rows: Chapter[];
  onOpen: Props["onOpen"];
  proving: Proving;
}) {
  return (
    <section aria-label="Elsewhere">
      <h2 className="mb-2">{record.kind === "usb.scan" ? "Seen elsewhere in the fleet" : "What was done for it"}</h2>
      <ul className="grid gap-2">
        {rows.map((row) => (
          <li key={keyOf(row)} className="group">
            <div className="flex items-baseline gap-2">
              <span className="mono shrink-0 text-ink-3">
                <Clock time={row.time} />
              </span>
              <span className="mono min-w-0 truncate">{row.workstation?.name ?? "console"}</span>
              <Ties row={row} />
              <span className="ml-auto shrink-0">
                <Proved at={row} asked={proving.asked(row)} onAsk={() => proving.ask(row)} />
              </span>
            </div>
            <Open row={row} onOpen={onOpen} dim={false}>
              <Untrusted text={(row.text ?? row.kind).slice(0, 200)} />
            </Open>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** This record is proved at once, the others when asked: each costs a proof and two round trips. */
function Verified({ record, count: records, onAll }: { record: RecordFull; count: number; onAll: () => void }) {
  const proved = useProved(record, true);
  if (proved.isPending) return null;
  const ok = proved.data?.ok ?? false;
  return (
    <div className="flex items-center gap-3 rounded-[8px] border border-line bg-sunk px-3 py-2" data-story-proof={ok}>
      <p className="min-w-0 flex-1 text-ink-2">
        {proved.isError ? (
          <>
            <span className="text-hold">◐ </span>
            {proved.error.message}
          </>
        ) : ok ? (
          <>
            <strong className="font-semibold text-ink">Verified now</strong> in this browser: {proved.data.hashes}{" "}
            hashes lead to the checkpoint of {count(proved.data.size)} records that this trail’s key signed.
          </>
        ) : (
          <>
            <strong className="font-semibold text-block">■ Not proved.</strong> See Proof for the step that fails.
          </>
        )}
      </p>
      {records > 1 && <Button onClick={onAll}>Prove all {count(records)}</Button>}
    </div>
  );
}
