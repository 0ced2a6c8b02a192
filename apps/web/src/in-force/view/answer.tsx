"use client";
import Link from "next/link";
import type { ReactNode } from "react";
import { Facts } from "../../ui/card.tsx";
import { Hash } from "../../ui/copy.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { outcomeWord } from "../../workstation/view/words.tsx";
import type { Applied } from "../store.ts";
import { minute, signerWords } from "../words.ts";

const TONE: Record<string, Tone> = { applied: "allow", "not-applied": "hold", failed: "block" };

/** What was in force, who approved it, when it was applied: and the record that says so. */
export function Answer({ applied }: { applied: Applied }) {
  const { approval } = applied;
  const rows: [string, ReactNode][] = [
    [
      "In force",
      <span key="r">
        r{applied.order} <Hash text={applied.digest} ends={8} />
      </span>,
    ],
    ["What changed", approval ? <Untrusted key="m" text={approval.message} /> : "not known to this console"],
    [
      "Approved",
      approval ? (
        <span key="a">
          published to{" "}
          <Link className="underline" href={`/policy/${approval.group.id}`}>
            {approval.group.name}
          </Link>{" "}
          by {approval.by}, {minute(approval.publishedAt)}; {signerWords(approval.signers)}
        </span>
      ) : (
        <span key="a" className="text-block">
          ■ no publication of this order and digest in any group that it was in
        </span>
      ),
    ],
    ...(approval?.rollout
      ? ([
          [
            "Rolled out",
            <span key="o">
              <Link className="underline" href={`/rollouts/${approval.rollout.id}`}>
                {approval.rollout.wave === null ? "after its waves" : `wave ${approval.rollout.wave + 1}`}
              </Link>
              {approval.rollout.toldAt && `, told ${minute(approval.rollout.toldAt)}`}
            </span>,
          ],
        ] as [string, ReactNode][])
      : []),
    [
      "Applied",
      <span key="t">
        {minute(applied.time)} by its own clock, committed here {minute(applied.received)}
        {applied.until ? `; until ${minute(applied.until)}` : "; nothing has followed"}
      </span>,
    ],
    [
      "Said in",
      <Link key="l" className="underline" href={`/explore?open=${applied.trail}.${applied.index}`}>
        record {applied.index} of its trail
      </Link>,
    ],
  ];
  return (
    <div className="grid grid-cols-[minmax(0,2fr)_minmax(0,1fr)] items-start gap-5">
      <Facts rows={rows} names={96} />
      <ul className="grid content-start gap-1">
        {Object.entries(applied.outcomes).map(([section, { outcome, reason }]) => (
          <li key={section} className="grid grid-cols-[64px_minmax(0,1fr)] items-baseline gap-x-2">
            <Untrusted text={section} />
            <span className="min-w-0 text-ink-2 [overflow-wrap:anywhere]">
              <Mark tone={TONE[outcome] ?? "info"}>{outcomeWord(outcome)}</Mark> {reason && <Untrusted text={reason} />}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
