"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** Workstations by how they stand, and those that need a look. */
import Link from "next/link";
import { searchOf } from "../../ui/address.ts";
import { Card } from "../../ui/card.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { Ago, useNow } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Fleet } from "../../workstation/fleet.ts";
import { ISOLATION_WORDS, POLICY_WORDS, STATUS_TONES, status } from "../../workstation/status.ts";
import type { WorkstationRow } from "../../workstation/store.ts";
import { DriftMark, IsolationMark, StatusMark } from "../../workstation/view/words.tsx";
import { All } from "./all.tsx";

/** So many workstations are so; `asked` lists them. */
type Group = { tone: Tone; word: string; count: number; asked: Record<string, string> };

export function Counts({ fleet }: { fleet: Fleet }) {
  const line = (title: string, groups: Group[]) => (
    <div>
      <h2 className="mb-1.5">{title}</h2>
      <ul className="flex flex-wrap gap-x-4 gap-y-1">
        {groups.map((group) => (
          <li key={group.word}>
            <Link
              href={`/workstations?${searchOf(group.asked)}`}
              className="flex items-baseline gap-1.5 hover:underline"
            >
              <span className="text-[17px] font-semibold">{count(group.count)}</span>
              <Mark tone={group.tone}>{group.word}</Mark>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
  return (
    <Card>
      <div className="grid gap-x-6 gap-y-3 lg:grid-cols-3">
        {line(
          "Status, by what was committed",
          fleet.status.map(({ word, count: some }) => ({
            ...{ word, tone: STATUS_TONES[word], count: some },
            asked: { status: word },
          })),
        )}
        {line(
          "Isolation of the guest’s devices",
          fleet.isolation.map(({ word: isolation, count: some }) => ({
            ...ISOLATION_WORDS[isolation],
            ...{ count: some, asked: { isolation } },
          })),
        )}
        {line(
          "Policy, as agents found it",
          fleet.policy.map(({ word: policy, count: some }) => ({
            ...POLICY_WORDS[policy],
            ...{ count: some, asked: { policy } },
          })),
        )}
      </div>
    </Card>
  );
}

export function Attention({ rows, needy }: { rows: WorkstationRow[]; needy: boolean }) {
  const now = useNow();
  return (
    <Card title={needy ? "Workstations to look at" : "Workstations"} aside={<All href="/workstations" />}>
      <ul className="grid gap-1">
        {rows.map((row) => (
          <li key={row.id} className="grid grid-cols-[minmax(0,1fr)_102px_178px_68px] items-baseline gap-2.5">
            <Link href={`/workstations/${row.id}`} className="mono truncate hover:underline">
              <Untrusted text={row.name} />
            </Link>
            <StatusMark signs={row} />
            {status(now, row).tone === "allow" ? (
              <DriftMark drift={row.drift} desired={row.desired} />
            ) : (
              <IsolationMark row={row} />
            )}
            <span className="text-right text-ink-3">
              <Ago time={row.lastReceiptAt} />
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
