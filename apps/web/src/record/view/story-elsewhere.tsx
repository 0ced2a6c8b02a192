"use client";
/** Records of other trails that belong to the same story: where else a stick was seen, or what was done for it. */
import { Proved } from "../../trail/view/proved.tsx";
import { Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordFull } from "../store.ts";
import type { Chapter } from "../story.ts";
import { keyOf } from "./story-address.ts";
import { type OnOpen, Open, type Proving, Ties } from "./story-line.tsx";

export function Elsewhere({
  record,
  rows,
  onOpen,
  proving,
}: {
  record: RecordFull;
  rows: Chapter[];
  onOpen: OnOpen;
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
