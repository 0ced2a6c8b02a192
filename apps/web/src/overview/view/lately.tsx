"use client";
/** What came lately and may need a person: alerts, sticks, records. Each card asks for itself, and one that fails leaves the
 *  others. */
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { severityTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { Card } from "../../ui/card.tsx";
import { Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Ago, Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { All } from "./all.tsx";

const EVERY_MS = 5_000;
const SHOWN = 8;

/** Nothing is known yet, or it could not be asked: that is not the same as nothing there. */
function NotYet({ fault }: { fault: string | undefined }) {
  return fault === undefined ? <Waiting inside /> : <p className="text-block">■ {fault}</p>;
}

export function Alerts() {
  const api = useApi();
  const found = useQuery({ ...api.alert.list.queryOptions({ state: "open" }), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Open alerts" aside={<All href="/alerts" />}>
      {rows === undefined ? (
        <NotYet fault={found.error?.message} />
      ) : rows.length === 0 ? (
        <p className="text-ink-2">Nothing to triage.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.slice(0, SHOWN).map((row) => (
            <li
              key={row.id}
              className="grid grid-cols-[76px_minmax(0,1fr)_minmax(0,72px)_68px] items-baseline justify-items-start gap-2.5"
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

export function Sticks() {
  const api = useApi();
  const found = useQuery({ ...api.usb.list.queryOptions({}), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Sticks read" aside={<All href="/usb" />}>
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
              className="grid grid-cols-[58px_minmax(0,1fr)_minmax(0,72px)_68px] items-baseline justify-items-start gap-2.5"
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

export function Worst() {
  const api = useApi();
  const asked = { filter: { severity: "warning" as const }, limit: SHOWN };
  const found = useQuery({ ...api.record.list.queryOptions(asked), refetchInterval: EVERY_MS });
  const rows = found.data?.rows;
  return (
    <Card title="Records, warning or worse" aside={<All href="/explore?severity=warning" />}>
      {rows === undefined ? (
        <NotYet fault={found.error?.message} />
      ) : rows.length === 0 ? (
        <p className="text-ink-2">None.</p>
      ) : (
        <ul className="grid gap-1">
          {rows.map((row) => (
            <li
              key={`${row.trail}.${row.index}`}
              className="grid grid-cols-[88px_76px_minmax(0,1fr)] items-baseline justify-items-start gap-2.5"
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
