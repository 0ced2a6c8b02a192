"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** One event, told: what happened, what belongs to it, what stood around it, where else it was seen. Each line is a record
 *  with an address of its own, and is proved here when asked. */
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { BlockOffers } from "../../deny/view/button.tsx";
import { useProved } from "../../trail/view/proved.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Facts } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Field } from "../filter.ts";
import type { RecordFull } from "../store.ts";
import type { StoryAlert } from "../story.ts";
import { tell } from "../tell.ts";
import { ScanStory } from "./scan-story.tsx";
import { keyOf } from "./story-address.ts";
import { Elsewhere } from "./story-elsewhere.tsx";
import type { OnOpen, Proving } from "./story-line.tsx";
import { Timeline } from "./story-timeline.tsx";
import { severityTone } from "./tone.ts";
import { Value } from "./value.tsx";

type Props = {
  record: RecordFull;
  onOpen: OnOpen;
  onFilter: (field: Field, value: string) => void;
};
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

/** This record is proved at once, the others when asked. */
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
