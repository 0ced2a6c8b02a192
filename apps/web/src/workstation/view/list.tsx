"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useState } from "react";
import { AT_ONCE_MAX } from "../../command/many.ts";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi, useApiClient } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { Button, ButtonLink } from "../../ui/button.tsx";
import { choosing } from "../../ui/choose.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Header, Key } from "../../ui/header.tsx";
import { more } from "../../ui/more.tsx";
import { Narrowed } from "../../ui/narrowed.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Pick } from "../../ui/pick.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { SORTS } from "../sort.ts";
import { ISOLATION_WORDS, ISOLATIONS, POLICIES, POLICY_WORDS, STATUSES } from "../status.ts";
import type { Page, WorkstationRow } from "../store.ts";
import { type Choice, ChosenBar } from "./chosen.tsx";
import { DriftMark, IsolationMark, Skew, StatusMark } from "./words.tsx";

const EVERY_MS = 5_000;

const COLUMNS: Column<WorkstationRow>[] = [
  {
    head: "Workstation",
    sort: { word: "name" },
    track: "minmax(120px, 1.2fr)",
    leads: true,
    cell: (row) => (
      <>
        <span className="mono">
          <Untrusted text={row.name} />
        </span>
        {row.labels.length > 0 && <span className="text-ink-3"> · {row.labels.join(" ")}</span>}
      </>
    ),
  },
  { head: "Status", track: "118px", cell: (row) => <StatusMark signs={row} /> },
  {
    head: "Last record",
    sort: { word: "last-record" },
    track: "84px",
    cell: (row) => <Ago time={row.lastReceiptAt} />,
  },
  {
    head: "Spool",
    sort: { word: "spool", down: true },
    track: "64px",
    right: true,
    mono: true,
    cell: (row) => (row.reported ? count(row.reported.spool.records) : "–"),
  },
  {
    head: "Skew",
    sort: { word: "skew", down: true },
    track: "76px",
    right: true,
    mono: true,
    cell: (row) => <Skew ms={row.skewMs} />,
  },
  { head: "Group", track: "minmax(72px, 0.6fr)", cell: (row) => row.group.name },
  { head: "Isolation", track: "152px", cell: (row) => <IsolationMark row={row} /> },
  {
    head: "Policy",
    track: "182px",
    cell: (row) => <DriftMark drift={row.drift} desired={row.desired} />,
  },
];

const HEADS = {
  status: STATUSES.map((each) => [each, each] as const),
  isolation: ISOLATIONS.map((each) => [each, ISOLATION_WORDS[each].word] as const),
  policy: POLICIES.map((each) => [each, POLICY_WORDS[each].word] as const),
};

type Word = readonly [string, string];
type Heads = { status: readonly Word[]; group: readonly Word[]; isolation: readonly Word[]; policy: readonly Word[] };

/** What a column holds is chosen at its head. */
function narrowing(
  asked: Partial<Record<keyof Heads, string | undefined>>,
  heads: Heads,
  go: (change: object) => void,
) {
  return COLUMNS.map((column): Column<WorkstationRow> => {
    const { head } = column;
    const field = head.toLowerCase() as keyof Heads;
    if (!(field in heads)) return column;
    return {
      ...column,
      top: (
        <Pick
          head
          label={head}
          all={head}
          value={asked[field] ?? ""}
          options={heads[field]}
          onChange={(value) => go({ [field]: value })}
        />
      ),
    };
  });
}

const NARROWINGS: { field: keyof Heads; head: string }[] = [
  { field: "status", head: "Status" },
  { field: "group", head: "Group" },
  { field: "isolation", head: "Isolation" },
  { field: "policy", head: "Policy" },
];

const columnWord = (field: keyof Heads, value: string | undefined, heads: Heads): string | undefined =>
  value && (heads[field].find(([each]) => each === value)?.[1] ?? value.slice(0, 8));

const oneOf = <T extends string>(words: readonly T[], asked: string | null): T | undefined =>
  words.find((each) => each === asked);

const NOTHING = { search: "", group: "", status: "", isolation: "", policy: "" };

/** What is asked for, from the address; what cannot be read there counts as not asked for. */
function useAsked() {
  const params = useSearchParams();
  const asked = {
    search: (params.get("search") ?? "").slice(0, 200) || undefined,
    group: GroupId.safeParse(params.get("group")).data,
    status: oneOf(STATUSES, params.get("status")),
    isolation: oneOf(ISOLATIONS, params.get("isolation")),
    policy: oneOf(POLICIES, params.get("policy")),
    sort: oneOf(SORTS, params.get("sort")),
  };
  const go = (change: Partial<Record<keyof typeof asked, string>>, how: "push" | "replace" = "push") =>
    setAddress(searchOf({ ...asked, ...change }), how);
  return { asked, go };
}

export function Workstations() {
  const api = useApi();
  const { asked, go } = useAsked();
  const groups = useQuery(api.policy.groups.queryOptions()).data ?? [];
  const { sort = "name", ...narrowed } = asked;
  const isNarrowed = Object.values(narrowed).some(Boolean);
  const pages = useInfiniteQuery({
    ...api.workstation.list.infiniteQueryOptions(asked, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  const heads: Heads = { ...HEADS, group: groups.map(({ id, name }) => [id, name]) };
  const columns = narrowing(asked, heads, go);
  const mayTell = useMay("command");
  const client = useApiClient();
  const tell = useTell();
  /** `allOf`: what is searched for where all that match are among them. */
  const [{ choice, allOf }, setChoice] = useState<{ choice: Choice; allOf?: string }>({ choice: new Map() });
  const choose = (choice: Choice) => setChoice({ choice });
  const about = JSON.stringify(narrowed);
  /** Page after page, up to more than can be told at once: that there are too many is said then. By name: in another order
   *  one may move, between two pages, to where it is read no more. */
  const chooseAll = async () => {
    const found: WorkstationRow[] = [];
    let page: Page | undefined;
    do {
      page = await client.workstation.list.query({ ...narrowed, sort: "name", cursor: page?.next });
      found.push(...page.rows);
    } while (page.next && found.length <= AT_ONCE_MAX);
    const all = new Map([...choice, ...found.map((row) => [row.id, row] as const)]);
    setChoice({ choice: all, ...(page.next === null && { allOf: about }) });
  };
  return (
    <>
      <Header title="Workstations">
        <input
          data-search
          defaultValue={asked.search}
          onChange={(event) => go({ search: event.target.value }, "replace")}
          placeholder="Name, host, id or label"
          aria-label="Search workstations"
          className="ml-3 w-[300px] rounded-[6px] border border-line-strong bg-panel px-2 py-1"
        />
        <Key>/</Key>
        {/* also where the column it was chosen in has no room */}
        {NARROWINGS.map(({ field, head }) => {
          const word = columnWord(field, asked[field], heads);
          return (
            word && (
              <Narrowed
                key={field}
                by={head.toLowerCase()}
                all={`Of every ${head.toLowerCase()}`}
                onAll={() => go({ [field]: "" })}
              >
                <b className="font-medium">{word}</b>
              </Narrowed>
            )
          );
        })}
        <span className="flex-1" />
        <ButtonLink href="/enrol">Enrol…</ButtonLink>
      </Header>
      {choice.size > 0 && (
        <ChosenBar
          choice={choice}
          onAll={
            rows.some(({ id }) => !choice.has(id)) || (pages.hasNextPage && allOf !== about)
              ? () => void chooseAll().catch(tell.failed)
              : undefined
          }
          onNone={() => choose(new Map())}
        />
      )}
      <Listed
        asked={pages}
        isEmpty={rows.length === 0 && !isNarrowed}
        empty={
          <Empty title="No workstation yet">
            <p>Make a token under Enrol and paste its one line into a machine’s dom0.</p>
          </Empty>
        }
      >
        <Table<WorkstationRow>
          label="Workstations"
          sorted={{ by: sort, onSort: (by) => go({ sort: by }) }}
          columns={
            mayTell
              ? [
                  choosing({
                    rows,
                    keyOf: ({ id }) => id,
                    nameOf: ({ name }) => name,
                    chosen: choice,
                    onChoose: choose,
                  }),
                  ...columns,
                ]
              : columns
          }
          rows={rows}
          keyOf={(row) => row.id}
          hrefOf={(row) => `/workstations/${row.id}`}
          onEnd={more(pages)}
          foot={rows.length === 0 && <NoneMatches onAll={() => go(NOTHING)} />}
        />
      </Listed>
    </>
  );
}

function NoneMatches({ onAll }: { onAll: () => void }) {
  return (
    <Empty title="No workstation matches">
      <p>Names, host names, ids and labels are searched; status, group, isolation and policy are chosen above.</p>
      <p>
        <Button onClick={onAll}>Show every workstation</Button>
      </p>
    </Empty>
  );
}
