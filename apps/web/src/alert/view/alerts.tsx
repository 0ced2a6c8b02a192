"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { severityTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { count } from "../../ui/bytes.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { AlertRow, AlertState } from "../store.ts";
import { AlertDrawer } from "./alert-drawer.tsx";

const EVERY_MS = 3_000;
const VIEWS: { state: AlertState | "all"; word: string }[] = [
  { state: "open", word: "Open" },
  { state: "acknowledged", word: "Acknowledged" },
  { state: "closed", word: "Closed" },
  { state: "all", word: "All" },
];

const columns = (narrow: boolean, clock: string): Column<AlertRow>[] => {
  const all: Column<AlertRow>[] = [
    { head: "Raised", track: clock, mono: true, cell: (row) => <Clock time={row.raisedAt} /> },
    {
      head: "Workstation",
      track: narrow ? "84px" : "minmax(84px, 130px)",
      mono: true,
      cell: (row) => row.workstation?.name ?? <span className="text-ink-3">console</span>,
    },
    {
      head: "Subject",
      track: "minmax(0, 1fr)",
      cell: (row) => (
        <>
          <Untrusted text={row.title} />
          {row.count > 1 && <span className="text-ink-3"> · {count(row.count)} times</span>}
        </>
      ),
    },
    { head: "Severity", track: "88px", cell: (row) => <Mark tone={severityTone(row.severity)}>{row.severity}</Mark> },
    {
      head: "Kind",
      track: "minmax(124px, 172px)",
      mono: true,
      cell: (row) => <span className="text-ink-2">{row.kind}</span>,
    },
    { head: "State", track: "minmax(72px, 150px)", cell: (row) => <State row={row} /> },
  ];
  return narrow ? all.filter(({ head }) => head !== "Kind" && head !== "State") : all;
};

function State({ row }: { row: AlertRow }) {
  if (row.state === "open") return <span className="text-ink-2">open</span>;
  return (
    <span className="text-ink-2">
      {row.state} {row.by && `by ${row.by}`}
    </span>
  );
}

export function Alerts() {
  const api = useApi();
  const params = useSearchParams();
  const view = VIEWS.find(({ state }) => state === params.get("state"))?.state ?? "open";
  const open = params.get("open") ?? undefined;
  const pages = useInfiniteQuery({
    ...api.alert.list.infiniteQueryOptions(view === "all" ? {} : { state: view }, {
      getNextPageParam: (page) => page.next,
    }),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MS,
  });
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  const go = (state: string, at?: string) =>
    setAddress(`state=${state}${at ? `&open=${at}` : ""}`, state === view ? "replace" : "push");
  const active = rows.find((row) => String(row.id) === open);
  return (
    <>
      <Header title="Alerts">
        <fieldset className="ml-3 flex gap-1">
          <legend className="sr-only">State</legend>
          {VIEWS.map(({ state, word }) => (
            <button
              key={state}
              type="button"
              aria-pressed={view === state}
              onClick={() => go(state)}
              className="rounded-[6px] px-2 py-1 text-ink-2 hover:bg-hover aria-pressed:bg-pick aria-pressed:font-medium aria-pressed:text-ink"
            >
              {word}
            </button>
          ))}
        </fieldset>
        <Grow />
        {rows[0] && (
          <span className="text-ink-2">
            newest <Ago time={rows[0].raisedAt} />
          </span>
        )}
      </Header>
      <div className="flex min-h-0 flex-1">
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          {pages.isError ? (
            <Fault message={pages.error.message} again={() => void pages.refetch()} />
          ) : pages.isPending ? (
            <Waiting />
          ) : rows.length === 0 ? (
            <Empty title={view === "open" ? "Nothing to triage" : "None here"}>
              <p>
                An infected stick, an IDS alert, a forked or quarantined trail, a refused message or policy, a
                certificate that nobody renewed raises one; who acknowledged it, and why, is kept on the console’s own
                trail.
              </p>
            </Empty>
          ) : (
            <Table<AlertRow>
              label="Alerts, newest first"
              columns={columns(active !== undefined, clockTrack(rows.map(({ raisedAt }) => raisedAt)))}
              rows={rows}
              keyOf={(row) => String(row.id)}
              active={open}
              onOpen={(row) => go(view, row && String(row.id))}
              onEnd={() => pages.hasNextPage && !pages.isFetchingNextPage && void pages.fetchNextPage()}
            />
          )}
        </div>
        {active && <AlertDrawer key={active.id} alert={active} onClose={() => go(view)} />}
      </div>
    </>
  );
}
