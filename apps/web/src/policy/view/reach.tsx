"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useApi } from "../../trpc/client.tsx";
import { Card } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { WorkstationRow } from "../../workstation/store.ts";
import { DriftMark, StatusMark } from "../../workstation/view/words.tsx";

const EVERY_MS = 2_000;

/** In a line of its own: it may be long. */
function Why({ drift }: { drift: WorkstationRow["drift"] }) {
  const words =
    drift.state === "partial"
      ? drift.sections.map(({ name, reason }) => `${name}: ${reason}`).join("; ")
      : "reason" in drift && drift.reason;
  return words ? <span className="col-span-4 text-ink-2 [overflow-wrap:anywhere]">{words}</span> : null;
}

/** Desired against reported, for each workstation of a group: published is not applied. */
export function Reach({ group }: { group: string }) {
  const api = useApi();
  const found = useQuery({ ...api.workstation.list.queryOptions({ group }), refetchInterval: EVERY_MS });
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const { rows, next } = found.data;
  const inForce = rows.filter(({ drift, desired }) => desired && drift.state === "none").length;
  const partial = rows.filter(({ drift }) => drift.state === "partial").length;
  const waiting = rows.filter(({ drift }) => drift.state === "behind" || drift.state === "unknown").length;
  return (
    <Card
      title="Desired against reported"
      aside={
        <>
          <span className="mono mr-3">
            {inForce} in force · {partial} in part · {waiting} waiting{next && " (of the first 200)"}
          </span>
          <Link href={`/workstations?group=${group}`} className="text-ink-3 hover:text-ink hover:underline">
            all
          </Link>
        </>
      }
    >
      {rows.length === 0 ? (
        <p className="text-ink-2">
          No workstation is in this group.{" "}
          <Link href="/enrol" className="underline">
            Enrol one
          </Link>
          .
        </p>
      ) : (
        <ul className="grid gap-2">
          {rows.map((row) => (
            <li
              key={row.id}
              className="grid grid-cols-[minmax(80px,150px)_104px_minmax(0,1fr)_80px] items-baseline gap-x-3"
            >
              <Link href={`/workstations/${row.id}`} className="mono truncate hover:underline">
                <Untrusted text={row.name} />
              </Link>
              <StatusMark signs={row} />
              <span className="truncate">
                <DriftMark drift={row.drift} desired={row.desired} />
              </span>
              <span className="text-right text-ink-3">
                <Ago time={row.reportedAt} />
              </span>
              <Why drift={row.drift} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
