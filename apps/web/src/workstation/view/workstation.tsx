"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import type { ReactNode } from "react";
import { Commands } from "../../command/view/commands.tsx";
import { Escrow } from "../../escrow/view/escrow.tsx";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Card, Facts } from "../../ui/card.tsx";
import { Hash } from "../../ui/copy.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { PartTable } from "../../ui/part-table.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { Untrusted } from "../../ui/untrusted.tsx";
import { foundVolume } from "../found.ts";
import type { TrailRow, WorkstationRow } from "../store.ts";
import { Changes } from "./changes.tsx";
import { InForce } from "./in-force.tsx";
import { Machine } from "./machine.tsx";
import { DriftMark, IsolationMark, Skew, StatusMark } from "./words.tsx";

const EVERY_MS = 3_000;

export function Workstation({ id }: { id: string }) {
  const api = useApi();
  const mayChange = useMay("workstations");
  const mayRead = useMay("content");
  const found = useQuery({ ...api.workstation.get.queryOptions({ id }), refetchInterval: EVERY_MS });
  useTitle(found.data?.row.name);
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const { row, trails, certificateNotAfter } = found.data;
  return (
    <>
      <Header title={<Untrusted text={row.name} />}>
        <StatusMark signs={row} />
        <IsolationMark row={row} />
        <DriftMark drift={row.drift} desired={row.desired} />
        <Grow />
        <ButtonLink href={`/explore?workstation=${row.id}`}>Its records</ButtonLink>
        {mayRead && (
          <>
            <ButtonLink href={`/alerts?state=all&workstation=${row.id}`}>Its alerts</ButtonLink>
            <ButtonLink href={`/usb?workstation=${row.id}`}>Its sticks</ButtonLink>
          </>
        )}
        {mayChange && <Changes row={row} />}
      </Header>
      <div className="grid gap-3.5 px-5 py-4">
        {row.state !== "enrolled" && (
          <p role="alert" className="rounded-[9px] border border-line bg-panel px-4 py-3">
            <Mark tone={row.state === "quarantined" ? "block" : "info"}>{row.state}</Mark> {row.stateReason}
          </p>
        )}
        <Machine row={row} />
        <div className="grid items-start gap-3.5 lg:grid-cols-[minmax(0,1fr)_minmax(0,1.4fr)_minmax(0,0.9fr)]">
          <Now row={row} certificateNotAfter={certificateNotAfter} />
          <InForce row={row} />
          <Sources row={row} />
        </div>
        <Commands row={row} />
        <Escrow workstation={row.id} volume={foundVolume(row.reported)} />
        <Trails trails={trails} />
      </div>
    </>
  );
}

function Now({ row, certificateNotAfter }: { row: WorkstationRow; certificateNotAfter: string | null }) {
  const { reported } = row;
  const spool = reported?.spool;
  const rows: [string, ReactNode][] = [
    ["Last record", <Ago key="a" time={row.lastReceiptAt} />],
    [
      "Connection",
      row.presence ? (
        <span key="b">
          {row.presence}, <Ago time={row.presenceAt} />
        </span>
      ) : (
        "never"
      ),
    ],
    [
      "Spool",
      spool ? `${count(spool.records)} waiting, ${bytes(spool.bytes)} of ${bytes(spool.bytesMax)}` : "not reported",
    ],
    ["Clock", <Skew key="c" ms={row.skewMs} />],
    ["Agent", reported?.agentVersion ?? row.agentVersion],
    ["Host", <Untrusted key="d" text={reported?.hostname ?? row.hostname} />],
    ["Guests", reported ? reported.guests.map((guest) => guest.name).join(", ") || "none" : "not reported"],
    [
      "Group",
      <Link key="g" href={`/policy/${row.group.id}`} className="hover:underline">
        {row.group.name}
      </Link>,
    ],
    ["Labels", row.labels.join(" ") || "none"],
    ["Id", <Hash key="i" text={row.id} ends={8} />],
    ["Enrolled", <Ago key="e" time={row.enrolledAt} />],
    [
      "Certificate",
      certificateNotAfter ? (
        <span key="f">
          ends <Ago time={certificateNotAfter} />
        </span>
      ) : (
        "none"
      ),
    ],
  ];
  return (
    <Card title="Now">
      <Facts rows={rows} names={88} />
    </Card>
  );
}

const SOURCE_TONE: Record<string, Tone> = { running: "allow", absent: "info", failed: "block" };

function Sources({ row }: { row: WorkstationRow }) {
  const sources = Object.entries(row.reported?.sources ?? {});
  return (
    <Card title="Sources">
      {sources.length === 0 ? (
        <p className="text-ink-2">Not reported yet.</p>
      ) : (
        <ul className="grid gap-1.5">
          {sources.map(([name, { state, reason }]) => (
            <li key={name} className="grid grid-cols-[72px_minmax(0,1fr)] items-baseline gap-x-2">
              <Mark tone={SOURCE_TONE[state] ?? "info"}>{state}</Mark>
              <span className="[overflow-wrap:anywhere]">
                <Untrusted text={name} />
                {reason && !name.endsWith(reason) && (
                  <span className="text-ink-2">
                    {" · "}
                    <Untrusted text={reason} />
                  </span>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const TRAIL_TONE: Record<string, Tone> = { open: "allow", closed: "info", forked: "block" };

function Trails({ trails }: { trails: TrailRow[] }) {
  return (
    <Card title="Trails" aside="one per enrolment and disk; each is signed by the workstation’s own key">
      {trails.length === 0 ? (
        <p className="text-ink-2">No record has been committed yet.</p>
      ) : (
        <PartTable heads={["Trail", "State", "Records", "Safe", "Lost", "Opened", "Last commit"]}>
          {trails.map((trail) => (
            <tr key={trail.num} className="border-b border-line last:border-b-0 [&>td]:py-1 [&>td]:pr-4">
              <td>
                <Hash text={trail.id} ends={8} />
              </td>
              <td>
                <Mark tone={TRAIL_TONE[trail.state] ?? "info"}>{trail.state}</Mark>
              </td>
              <td className="mono">{count(trail.size)}</td>
              <td className="mono">{count(trail.safe)}</td>
              <td className="mono">
                {trail.lost > 0 ? <span className="text-block">■ {count(trail.lost)}</span> : "0"}
              </td>
              <td>
                <Ago time={trail.openedAt} />
              </td>
              <td>
                <Ago time={trail.receivedAt} />
              </td>
            </tr>
          ))}
        </PartTable>
      )}
    </Card>
  );
}
