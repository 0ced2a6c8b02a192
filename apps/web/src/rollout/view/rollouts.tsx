"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RolloutListed } from "../listed.ts";
import { SORTS } from "../sort.ts";
import { StateMark, waveWord } from "./words.tsx";

const EVERY_MS = 5_000;

const COLUMNS: Column<RolloutListed>[] = [
  { head: "State", track: "108px", cell: (row) => <StateMark state={row.state} /> },
  {
    head: "Group",
    sort: { word: "group" },
    track: "minmax(100px, 0.5fr)",
    cell: (row) => <b className="font-medium">{row.group.name}</b>,
  },
  { head: "Revision", track: "64px", mono: true, cell: (row) => `r${row.order}` },
  {
    head: "Wave",
    track: "104px",
    cell: (row) => <span className="text-ink-2">{waveWord(row.state, row.waves)}</span>,
  },
  {
    head: "What changes, or what stopped it",
    track: "minmax(0, 1.4fr)",
    leads: true,
    cell: (row) => (
      <>
        <Untrusted text={row.message} />
        {"reason" in row.state && (
          <span className="text-ink-2">
            {" · "}
            <Untrusted text={row.state.reason} />
          </span>
        )}
      </>
    ),
  },
  {
    head: "Begun",
    sort: { word: "begun", down: true },
    track: "88px",
    cell: (row) => <Ago time={row.startedAt} />,
  },
  { head: "By", track: "minmax(80px, 130px)", cell: (row) => row.by },
];

export function Rollouts() {
  const api = useApi();
  const params = useSearchParams();
  const sort = SORTS.find((each) => each === params.get("sort"));
  const pages = useInfiniteQuery({
    ...api.rollout.list.infiniteQueryOptions({ sort }, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  return (
    <>
      <Header title="Rollouts" about="A revision moves through its group in waves; guards stop it.">
        <ButtonLink href="/policy">Policy</ButtonLink>
      </Header>
      <Listed
        asked={pages}
        isEmpty={rows.length === 0}
        empty={
          <Empty title="Nothing has been rolled out yet">
            <p>
              Change a group’s policy under Policy and choose “Roll out…”: a few workstations get it first, it is
              watched there, and only then do the others. What goes wrong pauses it, or takes it back.
            </p>
          </Empty>
        }
      >
        <Table<RolloutListed>
          label={sort ? "Rollouts" : "Rollouts, those under way first"}
          sorted={{ by: sort ?? "", onSort: (by) => setAddress(searchOf({ sort: by }), "push") }}
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => row.id}
          hrefOf={(row) => `/rollouts/${row.id}`}
          onEnd={more(pages)}
        />
      </Listed>
    </>
  );
}
