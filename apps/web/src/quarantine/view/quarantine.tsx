"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { bytes } from "../../ui/bytes.ts";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Pick } from "../../ui/pick.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { SORTS } from "../sort.ts";
import type { RefusedRow } from "../store.ts";
import { CODE_WORDS, codeWords } from "../words.ts";
import { RefusedDrawer } from "./refused-drawer.tsx";

const EVERY_MS = 5_000;

const whatWords = ({ more, again, what }: RefusedRow): string =>
  more > 0 ? `${count(more)} more` : again > 0 ? `${count(again + 1)} × ${what}` : what;

const columns = (narrow: boolean, clock: string): Column<RefusedRow>[] => {
  const all: Column<RefusedRow>[] = [
    {
      head: "Received",
      sort: { word: "received", down: true },
      track: clock,
      mono: true,
      cell: (row) => <Clock time={row.received} />,
    },
    {
      head: "Workstation",
      track: narrow ? "84px" : "minmax(84px, 130px)",
      mono: true,
      cell: (row) => <Sender row={row} />,
    },
    { head: "What", track: "92px", cell: whatWords },
    { head: "Subject", track: "minmax(0, 1fr)", cell: (row) => codeWords(row.code) },
    {
      head: "Reason",
      track: "minmax(0, 1fr)",
      cell: (row) => (
        <span className="text-ink-2">
          <Untrusted text={row.reason} />
        </span>
      ),
    },
    {
      head: "Size",
      sort: { word: "size", down: true },
      track: "76px",
      right: true,
      mono: true,
      cell: (row) => bytes(row.size),
    },
  ];
  return narrow ? all.filter(({ head }) => head !== "Reason" && head !== "Size") : all;
};

function Sender({ row }: { row: RefusedRow }) {
  if (!row.workstation) return <span className="text-ink-3">nobody</span>;
  if (row.workstation.name === null) return <span title={row.workstation.id}>{row.workstation.id.slice(0, 8)}</span>;
  return <Untrusted text={row.workstation.name} />;
}

/** What is asked for, from the address; what cannot be read there counts as not asked for. */
function useAsked() {
  const params = useSearchParams();
  const workstation = params.get("workstation") ?? "";
  const code = params.get("code") ?? "";
  const asked = {
    ...(/^[0-9a-f-]{36}$/.test(workstation) && { workstation }),
    ...(/^[a-z]{1,32}$/.test(code) && { code }),
    sort: SORTS.find((each) => each === params.get("sort")),
  };
  const go = (
    change: Partial<Record<"workstation" | "code" | "sort" | "open", string | undefined>>,
    how: "push" | "replace",
  ) => setAddress(searchOf({ ...asked, ...change }), how);
  return { asked, open: params.get("open") ?? undefined, go };
}

export function Quarantine() {
  const api = useApi();
  const { asked, open, go } = useAsked();
  const senders = useQuery({ ...api.quarantine.senders.queryOptions(), refetchInterval: EVERY_MS }).data ?? [];
  const pages = useInfiniteQuery({
    ...api.quarantine.list.infiniteQueryOptions(asked, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  const listed = rows.find((row) => String(row.id) === open);
  // one that a link names may be far down, or of another sender
  const linked = useQuery({
    ...api.quarantine.get.queryOptions({ id: Number(open) }),
    enabled: !listed && /^[1-9]\d{0,14}$/.test(open ?? "") && pages.isSuccess,
  }).data;
  const active = listed ?? linked;
  const { workstation = "", code = "", sort = "-received" } = asked;
  return (
    <>
      <Header title="Quarantine">
        <Pick
          className="ml-3"
          label="Workstation"
          all="Every workstation"
          value={workstation}
          options={senders.map(({ id, name }) => [id, name])}
          onChange={(next) => go({ workstation: next }, "push")}
        />
        <Pick
          className="max-w-[380px]"
          label="Why it was refused"
          all="Whatever the reason"
          value={code}
          options={Object.entries(CODE_WORDS)}
          onChange={(next) => go({ code: next }, "push")}
        />
        <Grow />
        {rows[0] && sort === "-received" && (
          <span className="text-ink-2">
            newest <Ago time={rows[0].received} />
          </span>
        )}
      </Header>
      <div className="flex min-h-0 flex-1">
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          <Listed
            asked={pages}
            isEmpty={rows.length === 0}
            empty={
              <Empty title={workstation || code ? "Nothing refused matches" : "Nothing was refused"}>
                <p>
                  A batch, a presence or a report that is forged, reordered, replayed, altered or sent under another’s
                  name is never committed: its bytes are kept here, with the reason, and an alert is raised.
                </p>
              </Empty>
            }
          >
            <Table<RefusedRow>
              label="Refused messages"
              sorted={{ by: sort, onSort: (by) => go({ sort: by }, "push") }}
              columns={columns(active !== undefined, clockTrack(rows.map(({ received }) => received)))}
              rows={rows}
              keyOf={(row) => String(row.id)}
              active={open}
              onOpen={(row) => go({ open: row && String(row.id) }, "replace")}
              onEnd={more(pages)}
            />
          </Listed>
        </div>
        {active && <RefusedDrawer key={active.id} row={active} onClose={() => go({}, "replace")} />}
      </div>
    </>
  );
}
