"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** What stood before and after a record on its trail, and what of it belongs to the same story. */
import Link from "next/link";
import { Fragment } from "react";
import { Proved } from "../../trail/view/proved.tsx";
import { cx } from "../../ui/class.ts";
import { Clock, span } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordFull } from "../store.ts";
import type { Chapter, Story } from "../story.ts";
import { aroundAddress } from "./story-address.ts";
import { type OnOpen, Open, type Proving, Ties } from "./story-line.tsx";
import { severityTone } from "./tone.ts";

type Props = { record: RecordFull; story: Story; onOpen: OnOpen; proving: Proving };

export function Timeline({ record, story, onOpen, proving }: Props) {
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

const AROUND_MINUTES = [1, 10, 60];

/** All that was committed around it: here, and in the whole fleet. */
function Around({ record }: { record: RecordFull }) {
  const links = (workstation?: string) =>
    AROUND_MINUTES.map((minutes) => (
      <Fragment key={minutes}>
        {" "}
        <Link href={aroundAddress(record, minutes, workstation)} className="underline">
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
  onOpen: OnOpen;
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
