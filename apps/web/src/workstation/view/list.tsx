"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useRouter, useSearchParams } from "next/navigation";
import { useState } from "react";
import { AT_ONCE_MAX } from "../../command/many.ts";
import { useMay } from "../../overview/view/shell.tsx";
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
import { type Choice, ChosenBar } from "./chosen.tsx";
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

/** A box in each row; a click on it opens nothing. */
function choosing(rows: readonly WorkstationRow[], choice: Choice, choose: (next: Choice) => void) {
  const isAll = rows.length > 0 && rows.every(({ id }) => choice.has(id));
  const turn = (some: readonly WorkstationRow[], isOn: boolean) => {
    const next = new Map(choice);
    for (const row of some)
      if (isOn) next.set(row.id, row);
      else next.delete(row.id);
    choose(next);
  };
  const column: Column<WorkstationRow> = {
    head: "Chosen",
    track: "24px",
    top: <Box label="Choose all that are listed" isOn={isAll} onTurn={(isOn) => turn(rows, isOn)} />,
    cell: (row) => <Box label={`Choose ${row.name}`} isOn={choice.has(row.id)} onTurn={(isOn) => turn([row], isOn)} />,
  };
  return column;
}

function Box({ label, isOn, onTurn }: { label: string; isOn: boolean; onTurn: (isOn: boolean) => void }) {
  const stop = (event: { stopPropagation(): void }) => event.stopPropagation();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: only keeps a click beside the box from opening the row
    <label className="flex h-full items-center" onClick={stop}>
      <input
        type="checkbox"
        aria-label={label}
        checked={isOn}
        onChange={(event) => onTurn(event.target.checked)}
        onKeyDown={stop}
        className="size-3.5 accent-ink"
      />
    </label>
  );
}

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
  const mayTell = useMay("command");
  const [choice, choose] = useState<Choice>(new Map());
  /** Page after page, up to one more than can be told at once: that there are too many is said then. */
  const chooseAll = async () => {
    let found = pages.data?.pages ?? [];
    const known = () => found.flatMap((page) => page.rows);
    while (found.at(-1)?.next && known().length <= AT_ONCE_MAX) {
      const more = await pages.fetchNextPage();
      if (more.isError || !more.data || more.data.pages.length === found.length) break;
      found = more.data.pages;
    }
    choose(new Map([...choice, ...known().map((row) => [row.id, row] as const)]));
  };
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
      {choice.size > 0 && (
        <ChosenBar
          choice={choice}
          onAll={rows.some(({ id }) => !choice.has(id)) || pages.hasNextPage ? () => void chooseAll() : undefined}
          onNone={() => choose(new Map())}
        />
      )}
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
          columns={mayTell ? [choosing(rows, choice, choose), ...COLUMNS] : COLUMNS}
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
