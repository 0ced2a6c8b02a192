"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useApi } from "../../trpc/client.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Ago } from "../../ui/time.tsx";
import { Attention, Counts } from "./fleet.tsx";
import { Alerts, Sticks, Worst } from "./lately.tsx";
import { useMay } from "./shell.tsx";
import { Start } from "./start.tsx";

const EVERY_MS = 5_000;

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
