"use client";
import { useQuery } from "@tanstack/react-query";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RolloutListed } from "../store.ts";
import { StateMark, waveWord } from "./words.tsx";

const EVERY_MS = 5_000;

const COLUMNS: Column<RolloutListed>[] = [
  { head: "State", track: "108px", cell: (row) => <StateMark state={row.state} /> },
  { head: "Group", track: "minmax(100px, 0.5fr)", cell: (row) => <b className="font-medium">{row.group.name}</b> },
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
  { head: "Begun", track: "88px", cell: (row) => <Ago time={row.startedAt} /> },
  { head: "By", track: "minmax(80px, 130px)", cell: (row) => row.by },
];

export function Rollouts() {
  const api = useApi();
  const found = useQuery({ ...api.rollout.list.queryOptions({}), refetchInterval: EVERY_MS });
  const rows = found.data ?? [];
  return (
    <>
      <Header title="Rollouts">
        <span className="ml-3 text-ink-2">A revision moves through its group in waves; guards stop it.</span>
        <Grow />
        <ButtonLink href="/policy">Policy</ButtonLink>
      </Header>
      <Listed
        asked={found}
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
          label="Rollouts, those under way first"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => row.id}
          hrefOf={(row) => `/rollouts/${row.id}`}
        />
      </Listed>
    </>
  );
}
