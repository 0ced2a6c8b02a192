"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import type { ReactNode } from "react";
import { severityTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { count } from "../../ui/bytes.ts";
import { Card } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Ago, Clock, useNow } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { isolationWord, status } from "../../workstation/status.ts";
import type { WorkstationRow } from "../../workstation/store.ts";
import { DriftMark, IsolationMark, StatusMark } from "../../workstation/view/words.tsx";
import { useMay } from "./shell.tsx";
import { Start } from "./start.tsx";

const EVERY_MS = 5_000;
const SHOWN = 8;

export function Overview() {
  const api = useApi();
  const stations = useQuery({ ...api.workstation.list.queryOptions({}), refetchInterval: EVERY_MS });
  const store = useQuery({ ...api.overview.store.queryOptions(), refetchInterval: EVERY_MS }).data;
  const content = useMay("content");
  if (stations.isError) return <Fault message={stations.error.message} again={() => void stations.refetch()} />;
  if (stations.isPending) return <Waiting />;
  const { rows } = stations.data;
  return (
    <>
      <Header title="Overview">
        {store && (
          <span className="ml-3 text-ink-2">
            <b className="mono text-ink">{count(store.records)}</b> records of workstations committed, newest{" "}
            <Ago time={store.latest} /> · <b className="mono text-ink">{count(store.console)}</b> on the console’s own
            trail
            {store.quarantined > 0 && (
              <>
                {" · "}
                <span className="text-block">■ {count(store.quarantined)} batches refused today</span>
              </>
            )}
          </span>
        )}
      </Header>
      {rows.length === 0 ? (
        <Start />
      ) : (
        <div className="grid gap-3.5 px-5 py-4">
          <Fleet rows={rows} />
          <div className="grid grid-cols-2 items-start gap-3.5">
            <Attention rows={rows} />
            {content && <Alerts />}
            {content && <Sticks />}
            {content && <Worst />}
          </div>
        </div>
      )}
    </>
  );
}

function Fleet({ rows }: { rows: WorkstationRow[] }) {
  const now = useNow();
  const by = (word: (row: WorkstationRow) => { tone: "allow" | "hold" | "block" | "info"; word: string }) => {
    const groups = new Map<string, { tone: "allow" | "hold" | "block" | "info"; word: string; count: number }>();
    for (const row of rows) {
      const { tone, word: name } = word(row);
      groups.set(name, { tone, word: name, count: (groups.get(name)?.count ?? 0) + 1 });
    }
    return [...groups.values()].sort((a, b) => b.count - a.count);
  };
  const line = (title: string, groups: ReturnType<typeof by>) => (
    <div>
      <h2 className="mb-1.5">{title}</h2>
      <ul className="flex flex-wrap gap-x-4 gap-y-1">
        {groups.map((group) => (
          <li key={group.word} className="flex items-baseline gap-1.5">
            <span className="text-[17px] font-semibold">{count(group.count)}</span>
            <Mark tone={group.tone}>{group.word}</Mark>
          </li>
        ))}
      </ul>
    </div>
  );
  return (
    <Card>
      <div className="grid grid-cols-3 gap-6">
        {line(
          "Status, by what was committed",
          by((row) => status(now, row)),
        )}
        {line(
          "Isolation of the guest’s devices",
          by((row) => isolationWord(row.reported?.layout)),
        )}
        {line(
          "Policy, as agents found it",
          by(({ drift, desired }) =>
            !desired
              ? { tone: "info", word: "none published" }
              : drift.state === "none"
                ? { tone: "allow", word: "in force" }
                : drift.state === "partial"
                  ? { tone: "hold", word: "in part" }
                  : { tone: "hold", word: drift.state === "behind" ? "behind" : "not reported" },
          ),
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

function Attention({ rows }: { rows: WorkstationRow[] }) {
  const now = useNow();
  const needy = rows.filter((row) => status(now, row).tone !== "allow" || row.drift.state === "behind");
  const shown = (needy.length > 0 ? needy : rows).slice(0, SHOWN);
  return (
    <Card
      title={needy.length > 0 ? "Workstations to look at" : "Workstations"}
      aside={<More href="/workstations">all</More>}
    >
      <ul className="grid gap-1">
        {shown.map((row) => (
          <li key={row.id} className="grid grid-cols-[minmax(0,1fr)_auto_auto_72px] items-baseline gap-2.5">
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

function Alerts() {
  const api = useApi();
  const rows =
    useQuery({ ...api.alert.list.queryOptions({ state: "open" }), refetchInterval: EVERY_MS }).data?.rows ?? [];
  return (
    <Card title="Open alerts" aside={<More href="/alerts">all</More>}>
      {rows.length === 0 ? (
        <p className="text-ink-2">Nothing to triage.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.slice(0, SHOWN).map((row) => (
            <li
              key={row.id}
              className="grid grid-cols-[76px_minmax(0,1fr)_72px] items-baseline justify-items-start gap-2.5"
            >
              <Mark tone={severityTone(row.severity)}>{row.severity}</Mark>
              <Link href={`/alerts?state=open&open=${row.id}`} className="max-w-full truncate hover:underline">
                <Untrusted text={row.title} />
              </Link>
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
  const rows = useQuery({ ...api.usb.list.queryOptions({}), refetchInterval: EVERY_MS }).data?.rows ?? [];
  return (
    <Card title="Sticks read" aside={<More href="/usb">all</More>}>
      {rows.length === 0 ? (
        <p className="text-ink-2">
          None yet. A file in the agent’s sticks/ folder is read, hashed and scanned like one.
        </p>
      ) : (
        <ul className="grid gap-1">
          {rows.slice(0, SHOWN).map((row) => (
            <li
              key={`${row.trail}.${row.index}`}
              className="grid grid-cols-[58px_minmax(0,1fr)_auto_72px] items-baseline justify-items-start gap-2.5"
            >
              <Mark tone={verdictTone(row.verdict)}>{row.verdict}</Mark>
              <Link href={`/usb/${row.trail}/${row.index}`} className="max-w-full truncate hover:underline">
                <Untrusted text={row.source ?? "unnamed"} /> <span className="text-ink-3">{row.reason}</span>
              </Link>
              <span className="mono text-ink-2">{row.workstation.name}</span>
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
  const rows = useQuery({ ...api.record.list.queryOptions(asked), refetchInterval: EVERY_MS }).data?.rows ?? [];
  return (
    <Card title="Records, warning or worse" aside={<More href="/explore?severity=warning">all</More>}>
      {rows.length === 0 ? (
        <p className="text-ink-2">None.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.map((row) => (
            <li
              key={`${row.trail}.${row.index}`}
              className="grid grid-cols-[96px_72px_minmax(0,1fr)] items-baseline justify-items-start gap-2.5"
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
