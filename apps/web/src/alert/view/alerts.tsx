"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { severityTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { choosing } from "../../ui/choose.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Pick } from "../../ui/pick.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { Views } from "../../ui/views.tsx";
import { Only } from "../../workstation/view/only.tsx";
import { SORTS } from "../sort.ts";
import type { AlertRow, AlertState } from "../store.ts";
import { AlertDrawer } from "./alert-drawer.tsx";
import { ChosenAlerts } from "./chosen.tsx";

const EVERY_MS = 3_000;
const VIEWS: [AlertState | "all", string][] = [
  ["open", "Open"],
  ["acknowledged", "Acknowledged"],
  ["closed", "Closed"],
  ["all", "All"],
];

const columns = (narrow: boolean, clock: string): Column<AlertRow>[] => {
  const all: Column<AlertRow>[] = [
    {
      head: "Raised",
      sort: { word: "raised", down: true },
      track: clock,
      mono: true,
      cell: (row) => <Clock time={row.raisedAt} />,
    },
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
    {
      head: "Severity",
      sort: { word: "severity", down: true },
      track: "88px",
      cell: (row) => <Mark tone={severityTone(row.severity)}>{row.severity}</Mark>,
    },
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

/** Those that a page would begin with; "debug or worse" is every one. */
const WORSE = [...SEVERITIES].reverse().filter((each) => each === "critical" || each === "error" || each === "warning");

/** What is asked for, from the address; what cannot be read there counts as not asked for. */
function useAsked() {
  const params = useSearchParams();
  const view = VIEWS.find(([state]) => state === params.get("state"))?.[0] ?? "open";
  const asked = {
    workstation: WorkstationId.safeParse(params.get("workstation")).data,
    kind: /^[a-z.-]{1,64}$/.exec(params.get("kind") ?? "")?.[0],
    severity: SEVERITIES.find((each) => each === params.get("severity")),
    sort: SORTS.find((each) => each === params.get("sort")),
  };
  const open = params.get("open") ?? undefined;
  const go = (
    change: Partial<Record<"state" | "workstation" | "kind" | "severity" | "sort" | "open", string | undefined>>,
  ) =>
    setAddress(
      searchOf({ state: view, ...asked, ...change }),
      Object.keys(change).every((each) => each === "open") ? "replace" : "push",
    );
  return { view, asked, open, go };
}

export function Alerts() {
  const api = useApi();
  const { view, asked, open, go } = useAsked();
  const kinds = useQuery(api.alert.kinds.queryOptions()).data ?? [];
  const pages = useInfiniteQuery({
    ...api.alert.list.infiniteQueryOptions(
      { ...asked, ...(view !== "all" && { state: view }) },
      { getNextPageParam: (page) => page.next },
    ),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  const at = rows.findIndex((row) => String(row.id) === open);
  // one that a link names may be far down, or of another state by now
  const linked = useQuery({
    ...api.alert.get.queryOptions({ id: Number(open) }),
    enabled: at < 0 && /^[1-9]\d{0,14}$/.test(open ?? "") && pages.isSuccess,
  }).data;
  const active = rows[at] ?? (linked && String(linked.id) === open ? linked : undefined);
  const after = rows[at + 1] ?? rows[at - 1];
  const mayTriage = useMay("triage");
  const triaged = mayTriage && (view === "open" || view === "acknowledged") ? view : undefined;
  const [picked, setPicked] = useState<{ about: string; rows: ReadonlyMap<string, AlertRow> }>();
  // of another list nobody sees what is chosen, and of this one not what has left it meanwhile
  const about = JSON.stringify({ view, ...asked, sort: undefined });
  const picks: ReadonlyMap<string, AlertRow> = picked?.about === about ? picked.rows : new Map();
  const chosen = new Map(rows.map((row) => [String(row.id), row] as const).filter(([key]) => picks.has(key)));
  const choose = (rows: ReadonlyMap<string, AlertRow>) => setPicked({ about, rows });
  const boxes = choosing({
    rows,
    keyOf: ({ id }) => String(id),
    nameOf: ({ title }) => title,
    ...{ chosen, onChoose: choose },
  });
  const listed = columns(active !== undefined, clockTrack(rows.map(({ raisedAt }) => raisedAt)));
  const { sort = "-raised", ...narrowed } = asked;
  const isNarrowed = Object.values(narrowed).some(Boolean);
  return (
    <>
      <Header title="Alerts">
        <Views label="State" views={VIEWS} value={view} onChoose={(state) => go({ state })} />
        <Pick
          label="Severity"
          all="Every severity"
          value={asked.severity ?? ""}
          options={WORSE.map((each) => [each, each === "critical" ? each : `${each} or worse`])}
          onChange={(severity) => go({ severity })}
        />
        <Pick
          label="Kind"
          all="Every kind"
          value={asked.kind ?? ""}
          options={kinds.map((each) => [each, each])}
          onChange={(kind) => go({ kind })}
        />
        {asked.workstation && <Only workstation={asked.workstation} onAll={() => go({ workstation: "" })} />}
        <Grow />
        {rows[0] && sort === "-raised" && (
          <span className="text-ink-2">
            newest <Ago time={rows[0].raisedAt} />
          </span>
        )}
      </Header>
      {triaged && picks.size > 0 && (
        <ChosenAlerts chosen={chosen} left={picks.size - chosen.size} now={triaged} onChoose={choose} />
      )}
      <div className="flex min-h-0 flex-1">
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          <Listed
            asked={pages}
            isEmpty={rows.length === 0}
            empty={
              <Empty title={isNarrowed ? "No alert matches" : view === "open" ? "Nothing to triage" : "None here"}>
                <p>
                  An infected stick, an IDS alert, a forked or quarantined trail, a refused message or policy, a
                  certificate that nobody renewed raises one; who acknowledged it, and why, is kept on the console’s own
                  trail.
                </p>
              </Empty>
            }
          >
            <Table<AlertRow>
              label="Alerts"
              sorted={{ by: sort, onSort: (by) => go({ sort: by }) }}
              columns={triaged ? [boxes, ...listed] : listed}
              rows={rows}
              keyOf={(row) => String(row.id)}
              active={open}
              onOpen={(row) => go({ open: row && String(row.id) })}
              onEnd={more(pages)}
            />
          </Listed>
        </div>
        {active && (
          <AlertDrawer
            key={active.id}
            alert={active}
            onClose={() => go({ open: undefined })}
            onNext={view === "all" || at < 0 ? undefined : () => go({ open: after && String(after.id) })}
          />
        )}
      </div>
    </>
  );
}
