"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useRouter, useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { count } from "../../ui/bytes.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Header, Key } from "../../ui/header.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { WorkstationRow } from "../store.ts";
import { DriftMark, IsolationMark, Skew, StatusMark } from "./words.tsx";

const EVERY_MS = 5_000;

const COLUMNS: Column<WorkstationRow>[] = [
  {
    head: "Workstation",
    track: "minmax(120px, 1.2fr)",
    cell: (row) => (
      <>
        <span className="mono">
          <Untrusted text={row.name} />
        </span>
        {row.labels.length > 0 && <span className="text-ink-3"> · {row.labels.join(" ")}</span>}
      </>
    ),
  },
  { head: "Status", track: "112px", cell: (row) => <StatusMark signs={row} /> },
  { head: "Last record", track: "80px", cell: (row) => <Ago time={row.lastReceiptAt} /> },
  {
    head: "Spool",
    track: "64px",
    right: true,
    mono: true,
    cell: (row) => (row.reported ? count(row.reported.spool.records) : "–"),
  },
  { head: "Skew", track: "76px", right: true, mono: true, cell: (row) => <Skew ms={row.skewMs} /> },
  { head: "Group", track: "minmax(72px, 0.6fr)", cell: (row) => row.group.name },
  { head: "Isolation", track: "152px", cell: (row) => <IsolationMark row={row} /> },
  {
    head: "Policy",
    track: "182px",
    cell: (row) => <DriftMark drift={row.drift} desired={row.desired} />,
  },
];

export function Workstations() {
  const api = useApi();
  const router = useRouter();
  const params = useSearchParams();
  const search = params.get("search") ?? "";
  const open = params.get("at") ?? undefined;
  const pages = useInfiniteQuery({
    ...api.workstation.list.infiniteQueryOptions(search ? { search: search.slice(0, 200) } : {}, {
      getNextPageParam: (page) => page.next,
    }),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MS,
  });
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  const seek = (value: string) => setAddress(value && `search=${encodeURIComponent(value)}`, "replace");
  return (
    <>
      <Header title="Workstations">
        <input
          data-search
          defaultValue={search}
          onChange={(event) => seek(event.target.value)}
          placeholder="Name, host, id or label"
          aria-label="Search workstations"
          className="ml-3 w-[300px] rounded-[6px] border border-line-strong bg-panel px-2 py-1"
        />
        <Key>/</Key>
        <span className="flex-1" />
        <ButtonLink href="/enrol">Enrol…</ButtonLink>
      </Header>
      {pages.isError ? (
        <Fault message={pages.error.message} again={() => void pages.refetch()} />
      ) : pages.isPending ? (
        <Waiting />
      ) : rows.length === 0 ? (
        search ? (
          <Empty title="No workstation matches">
            <p>Names, host names, ids and labels are searched.</p>
          </Empty>
        ) : (
          <Empty title="No workstation yet">
            <p>Make a token under Enrol and paste its one line into a machine’s dom0.</p>
          </Empty>
        )
      ) : (
        <Table<WorkstationRow>
          label="Workstations, by name"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => row.id}
          active={open}
          onOpen={(row) => row && router.push(`/workstations/${row.id}`)}
          onEnd={() => pages.hasNextPage && !pages.isFetchingNextPage && void pages.fetchNextPage()}
        />
      )}
    </>
  );
}
