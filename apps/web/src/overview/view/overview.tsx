"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import type { ReactNode } from "react";
import { severityTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { searchOf } from "../../ui/address.ts";
import { count, plural } from "../../ui/bytes.ts";
import { Card } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark, type Tone } from "../../ui/mark.tsx";
import { Ago, Clock, useNow } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Fleet } from "../../workstation/fleet.ts";
import { ISOLATION_WORDS, POLICY_WORDS, STATUS_TONES, status } from "../../workstation/status.ts";
import type { WorkstationRow } from "../../workstation/store.ts";
import { DriftMark, IsolationMark, StatusMark } from "../../workstation/view/words.tsx";
import { useMay } from "./shell.tsx";
import { Start } from "./start.tsx";

const EVERY_MS = 5_000;
const SHOWN = 8;

export function Overview() {
  const api = useApi();
  const fleet = useQuery({ ...api.workstation.fleet.queryOptions(), refetchInterval: EVERY_MS });
  const store = useQuery({ ...api.overview.store.queryOptions(), refetchInterval: EVERY_MS }).data;
  const counts = useQuery({ ...api.overview.counts.queryOptions(), refetchInterval: EVERY_MS }).data;
  const content = useMay("content");
  if (fleet.isError) return <Fault message={fleet.error.message} again={() => void fleet.refetch()} />;
  if (fleet.isPending) return <Waiting />;
  const { rows, needy } = fleet.data;
  return (
    <>
      <Header
        title="Overview"
        about={
          store && (
            <>
              <b className="mono text-ink">{count(store.records)}</b> records of workstations committed, newest{" "}
              <Ago time={store.latest} /> · <b className="mono text-ink">{count(store.console)}</b> on the console’s own
              trail
              {store.quarantined > 0 && (
                <>
                  {" · "}
                  <Refused messages={store.quarantined} link={content} />
                </>
              )}
              {counts && counts.undelivered > 0 && (
                <>
                  {" · "}
                  <Undelivered destinations={counts.undelivered} />
                </>
              )}
            </>
          )
        }
      />
      {rows.length === 0 ? (
        <Start />
      ) : (
        <div className="grid gap-3.5 px-5 py-4">
          <Counts fleet={fleet.data} />
          <div className="grid items-start gap-3.5 lg:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
            <div className="grid gap-3.5">
              <Attention rows={rows} needy={needy} />
              {content && <Sticks />}
            </div>
            <div className="grid gap-3.5">
              {content && <Alerts />}
              {content && <Worst />}
            </div>
          </div>
        </div>
      )}
    </>
  );
}

/** Whatever came and did not verify: batches, presences, reports. */
function Refused({ messages, link }: { messages: number; link: boolean }) {
  const words = `■ ${plural(messages, "message")} refused in 24 h`;
  if (!link) return <span className="text-block">{words}</span>;
  return (
    <Link href="/quarantine" className="text-block hover:underline">
      {words}
    </Link>
  );
}

/** Somebody elsewhere believes that nothing happened. */
function Undelivered({ destinations }: { destinations: number }) {
  const words = `■ alerts do not reach ${plural(destinations, "destination")}`;
  if (!useMay("destinations")) return <span className="text-block">{words}</span>;
  return (
    <Link href="/destinations" className="text-block hover:underline">
      {words}
    </Link>
  );
}

/** So many workstations are so; `asked` lists them. */
type Group = { tone: Tone; word: string; count: number; asked: Record<string, string> };

function Counts({ fleet }: { fleet: Fleet }) {
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

const More = ({ href, children }: { href: string; children: ReactNode }) => (
  <Link href={href} className="text-ink-3 hover:text-ink hover:underline">
    {children}
  </Link>
);

function Attention({ rows, needy }: { rows: WorkstationRow[]; needy: boolean }) {
  const now = useNow();
  return (
    <Card title={needy ? "Workstations to look at" : "Workstations"} aside={<More href="/workstations">all</More>}>
      <ul className="grid gap-1">
        {rows.map((row) => (
          <li key={row.id} className="grid grid-cols-[minmax(0,1fr)_104px_152px_76px] items-baseline gap-2.5">
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

/** Nothing is known yet, or it could not be asked: that is not the same as nothing there. */
function NotYet({ fault }: { fault: string | undefined }) {
  return fault === undefined ? <Waiting inside /> : <p className="text-block">■ {fault}</p>;
}

function Alerts() {
  const api = useApi();
  const found = useQuery({ ...api.alert.list.queryOptions({ state: "open" }), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Open alerts" aside={<More href="/alerts">all</More>}>
      {rows === undefined ? (
        <NotYet fault={found.error?.message} />
      ) : rows.length === 0 ? (
        <p className="text-ink-2">Nothing to triage.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.slice(0, SHOWN).map((row) => (
            <li
              key={row.id}
              className="grid grid-cols-[84px_minmax(0,1fr)_minmax(0,84px)_76px] items-baseline justify-items-start gap-2.5"
            >
              <Mark tone={severityTone(row.severity)}>{row.severity}</Mark>
              <Link href={`/alerts?state=open&open=${row.id}`} className="max-w-full truncate hover:underline">
                <Untrusted text={row.title} />
              </Link>
              <span className="mono max-w-full truncate text-ink-2">
                {row.workstation ? (
                  <Untrusted text={row.workstation.name} />
                ) : (
                  <span className="text-ink-3">console</span>
                )}
              </span>
              <span className="justify-self-end text-ink-3">
                <Ago time={row.lastAt} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Sticks() {
  const api = useApi();
  const found = useQuery({ ...api.usb.list.queryOptions({}), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Sticks read" aside={<More href="/usb">all</More>}>
      {rows === undefined ? (
        <NotYet fault={found.error?.message} />
      ) : rows.length === 0 ? (
        <p className="text-ink-2">
          None yet. A file in the agent’s sticks/ folder is read, hashed and scanned like one.
        </p>
      ) : (
        <ul className="grid gap-1">
          {rows.slice(0, SHOWN).map((row) => (
            <li
              key={`${row.trail}.${row.index}`}
              className="grid grid-cols-[58px_minmax(0,1fr)_minmax(0,110px)_76px] items-baseline justify-items-start gap-2.5"
            >
              <Mark tone={verdictTone(row.verdict)}>{row.verdict}</Mark>
              <Link href={`/usb/${row.trail}/${row.index}`} className="max-w-full truncate hover:underline">
                <Untrusted text={row.source ?? "unnamed"} /> <span className="text-ink-3">{row.reason}</span>
              </Link>
              <span className="mono max-w-full truncate text-ink-2">
                <Untrusted text={row.workstation.name} />
              </span>
              <span className="justify-self-end text-ink-3">
                <Ago time={row.time} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Worst() {
  const api = useApi();
  const asked = { filter: { severity: "warning" as const }, limit: SHOWN };
  const found = useQuery({ ...api.record.list.queryOptions(asked), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Records, warning or worse" aside={<More href="/explore?severity=warning">all</More>}>
      {rows === undefined ? (
        <NotYet fault={found.error?.message} />
      ) : rows.length === 0 ? (
        <p className="text-ink-2">None.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.map((row) => (
            <li
              key={`${row.trail}.${row.index}`}
              className="grid grid-cols-[92px_84px_minmax(0,1fr)] items-baseline justify-items-start gap-2.5"
            >
              <span className="mono text-ink-2">
                <Clock time={row.time} />
              </span>
              <Mark tone={severityTone(row.severity)}>{row.severity}</Mark>
              <Link
                href={`/explore?severity=warning&open=${row.trail}.${row.index}`}
                className="max-w-full truncate hover:underline"
              >
                <Untrusted text={row.text ?? row.kind} />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
