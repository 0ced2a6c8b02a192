"use client";
import { count } from "@sallyport/shared/base/count.ts";
import Link from "next/link";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Facts } from "../../ui/card.tsx";
import { Drawer } from "../../ui/drawer.tsx";
import { Mark } from "../../ui/mark.tsx";
import { exact } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RefusedRow } from "../store.ts";
import { codeWords } from "../words.ts";

export function RefusedDrawer({ row, onClose }: { row: RefusedRow; onClose: () => void }) {
  const [tab, setTab] = useState("Story");
  return (
    <Drawer
      tab={tab}
      onTab={setTab}
      onClose={onClose}
      mark={<Mark tone="block">refused</Mark>}
      title={codeWords(row.code)}
      tabs={[{ name: "Story", content: <Story row={row} /> }]}
    />
  );
}

function Story({ row }: { row: RefusedRow }) {
  const { workstation } = row;
  return (
    <div className="grid gap-4">
      <p className="[overflow-wrap:anywhere]">
        <Untrusted text={row.reason} />
      </p>
      <Facts
        names={92}
        rows={[
          ["what", row.more > 0 ? `${count(row.more)} more of a flood` : row.what],
          ["code", row.code],
          ["topic", <Untrusted key="topic" text={row.topic} />],
          [
            "workstation",
            workstation === null ? (
              "the topic names none"
            ) : workstation.name === null ? (
              `${workstation.id}, which is not enrolled`
            ) : (
              <Link key="workstation" href={`/workstations/${workstation.id}`} className="underline">
                <Untrusted text={workstation.name} />
              </Link>
            ),
          ],
          ["received", exact(row.received)],
          ...(row.again > 0 ? [["again", againWords(row)] satisfies [string, string]] : []),
          ["size", `${bytes(row.size)} (${count(row.size)} B)`],
          ["kept", keptWords(row)],
        ]}
      />
      <p className="text-ink-2">
        Nothing of it was committed. The topic is the broker’s word for who sent it; everything else in the message is a
        claim.
      </p>
      {row.kept > 0 && <Bytes row={row} />}
    </div>
  );
}

const againWords = ({ again }: RefusedRow): string =>
  `${again === 1 ? "once" : `${count(again)} times`} more within ten minutes: the same bytes on the same topic`;

function keptWords({ more, kept, size }: RefusedRow): string {
  if (more > 0) return "none of them: of a flood the first are, the others are counted";
  return kept < size ? `the first ${bytes(kept)}` : "all of it";
}

function Bytes({ row }: { row: RefusedRow }) {
  if (!useMay("quarantine")) return <p className="text-ink-3">Its bytes are for admins: they may be hostile.</p>;
  return (
    <div className="grid gap-1.5">
      <a
        href={`/api/quarantine/${row.id}`}
        download
        className="justify-self-start rounded-[6px] border border-line-strong bg-panel px-2.5 py-1 hover:bg-hover"
      >
        Take its bytes
      </a>
      <p className="text-xs text-ink-3">
        As they came, so they may be hostile. That you took them stands on the console’s trail.
      </p>
    </div>
  );
}
