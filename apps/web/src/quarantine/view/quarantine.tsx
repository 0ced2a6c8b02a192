"use client";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { bytes, count } from "../../ui/bytes.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RefusedRow } from "../store.ts";
import { CODE_WORDS, codeWords } from "../words.ts";
import { RefusedDrawer } from "./refused-drawer.tsx";

const EVERY_MS = 5_000;
const PICK = "rounded-[6px] border border-line-strong bg-panel px-2 py-1 pr-6";

const columns = (narrow: boolean, clock: string): Column<RefusedRow>[] => {
  const all: Column<RefusedRow>[] = [
    { head: "Received", track: clock, mono: true, cell: (row) => <Clock time={row.received} /> },
    {
      head: "Workstation",
      track: narrow ? "84px" : "minmax(84px, 130px)",
      mono: true,
      cell: (row) => <Sender row={row} />,
    },
    { head: "What", track: "92px", cell: (row) => (row.more > 0 ? `${count(row.more)} more` : row.what) },
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
    { head: "Size", track: "76px", right: true, mono: true, cell: (row) => bytes(row.size) },
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
  };
  const go = (to: { workstation?: string; code?: string; open?: string }, how: "push" | "replace") =>
    setAddress(new URLSearchParams(Object.entries(to).filter(([, value]) => value)).toString(), how);
  return { asked, open: params.get("open") ?? undefined, go };
}

export function Quarantine() {
  const api = useApi();
  const { asked, open, go } = useAsked();
  const senders = useQuery({ ...api.quarantine.senders.queryOptions(), refetchInterval: EVERY_MS }).data ?? [];
  const pages = useInfiniteQuery({
    ...api.quarantine.list.infiniteQueryOptions(asked, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MS,
  });
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  const active = rows.find((row) => String(row.id) === open);
  const { workstation = "", code = "" } = asked;
  const named = workstation === "" || senders.some(({ id }) => id === workstation);
  return (
    <>
      <Header title="Quarantine">
        <select
          aria-label="Workstation"
          value={workstation}
          onChange={(event) => go({ ...asked, workstation: event.target.value }, "push")}
          className={`ml-3 max-w-[200px] ${PICK}`}
        >
          <option value="">Every workstation</option>
          {!named && <option value={workstation}>{workstation.slice(0, 8)}</option>}
          {senders.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label="Why it was refused"
          value={code}
          onChange={(event) => go({ ...asked, code: event.target.value }, "push")}
          className={`max-w-[380px] ${PICK}`}
        >
          <option value="">Whatever the reason</option>
          {code !== "" && !(code in CODE_WORDS) && <option value={code}>{code}</option>}
          {Object.entries(CODE_WORDS).map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
        </select>
        <Grow />
        {rows[0] && (
          <span className="text-ink-2">
            newest <Ago time={rows[0].received} />
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
            <Empty title={workstation || code ? "Nothing refused matches" : "Nothing was refused"}>
              <p>
                A batch, a presence or a report that is forged, reordered, replayed, altered or sent under another’s
                name is never committed: its bytes are kept here, with the reason, and an alert is raised.
              </p>
            </Empty>
          ) : (
            <Table<RefusedRow>
              label="Refused messages, newest first"
              columns={columns(active !== undefined, clockTrack(rows.map(({ received }) => received)))}
              rows={rows}
              keyOf={(row) => String(row.id)}
              active={open}
              onOpen={(row) => go({ ...asked, ...(row && { open: String(row.id) }) }, "replace")}
              onEnd={() => pages.hasNextPage && !pages.isFetchingNextPage && void pages.fetchNextPage()}
            />
          )}
        </div>
        {active && <RefusedDrawer key={active.id} row={active} onClose={() => go(asked, "replace")} />}
      </div>
    </>
  );
}
