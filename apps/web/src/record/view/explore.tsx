"use client";
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useCallback, useMemo, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { Button } from "../../ui/button.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { more } from "../../ui/more.tsx";
import { QueryBar } from "../../ui/query-bar.tsx";
import { Table } from "../../ui/table.tsx";
import { clockTrack, moment } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { useWide } from "../../ui/wide.ts";
import {
  adding,
  type Chip,
  chips,
  type Filter,
  readFilter,
  readWord,
  takenAsText,
  without,
  writeFilter,
} from "../filter.ts";
import type { RecordRow } from "../store.ts";
import { columns } from "./columns.tsx";
import { Facets } from "./facets.tsx";
import { LINES_MAX } from "./lines.ts";
import { OverTime } from "./over-time.tsx";
import { RecordDrawer } from "./record-drawer.tsx";
import { Since } from "./since.tsx";
import { useTail } from "./use-tail.ts";

/** "workstation:lab 7" as typed: the name, or what there is of it. */
const NAMING = /^workstation:\s*(.*)$/i;

export const keyOf = (row: { trail: number; index: number }): string => `${row.trail}.${row.index}`;

/** Beside the filters and all columns a line could no longer be read. */
const WIDE_PX = 1150;
const TABS = ["Story", "Record", "Raw", "Proof"];

/** Everything the page shows is in its address: filters, the open record, whether it is live. */
function useAddress() {
  const search = useSearchParams();
  const read = useMemo(() => readFilter(new URLSearchParams(search.toString())), [search]);
  const tab = TABS.find((each) => each.toLowerCase() === search.get("tab")) ?? "Story";
  const go = useCallback(
    (filter: Filter, open: string | undefined, live: boolean, how: "push" | "replace", at = tab) => {
      const of = open && `open=${open}${at === "Story" ? "" : `&tab=${at.toLowerCase()}`}`;
      setAddress([writeFilter(filter), live && "live=1", of].filter(Boolean).join("&"), how);
    },
    [tab],
  );
  return { ...read, open: search.get("open") ?? undefined, tab, live: search.get("live") === "1", go };
}

function chipWords({ field, value }: Chip, nameOf: (id: string) => string): string {
  if (field === "workstation") return nameOf(value);
  return field === "since" || field === "until" ? moment(value) : value;
}

export function Explore() {
  const api = useApi();
  const { filter, faults, open, tab, live, go } = useAddress();
  const pages = useInfiniteQuery({
    ...api.record.list.infiniteQueryOptions({ filter }, { getNextPageParam: (page) => page.next }),
    enabled: !live,
    placeholderData: keepPreviousData,
  });
  const tail = useTail(filter, live);
  const choices = useQuery(api.record.choices.queryOptions()).data;
  const client = useQueryClient();
  const [typed, setTyped] = useState("");
  const wide = useWide(WIDE_PX);
  const ids = filter.workstation ?? [];
  const chosen = useQuery({ ...api.workstation.named.queryOptions({ ids }), enabled: ids.length > 0 }).data;
  const naming = NAMING.exec(typed)?.[1];
  const names = useQuery({
    ...api.workstation.names.queryOptions({ typed: (naming ?? "").slice(0, 64) }),
    enabled: naming !== undefined,
    placeholderData: keepPreviousData,
  }).data;
  const rows = useMemo(
    () => (live ? (tail.rows ?? []) : (pages.data?.pages.flatMap((page) => page.rows) ?? [])),
    [live, tail.rows, pages.data],
  );
  const fault = live ? tail.fault : pages.error?.message;
  const pending = live ? tail.rows === undefined : pages.isPending;
  const nameOf = (id: string) => chosen?.find((each) => each.id === id)?.name ?? `${id.slice(0, 8)}…`;

  const filtered = chips(filter).map((chip) => ({
    chip,
    key: `${chip.field}=${chip.value}`,
    name: chip.field === "severity" ? "severity≥" : `${chip.field === "notKind" ? "kind" : chip.field}:`,
    value: chipWords(chip, nameOf),
    not: chip.not,
  }));

  const set = (next: Filter) => go(next, open, live, "push");
  const idsOf = async (name: string): Promise<string[]> => {
    const found = await client.fetchQuery(api.workstation.names.queryOptions({ typed: name.slice(0, 64) }));
    return found.filter((each) => each.name.toLowerCase() === name.toLowerCase()).map(({ id }) => id);
  };
  const onAdd = async (word: string): Promise<string | undefined> => {
    const name = NAMING.exec(word.trim())?.[1];
    const words = name && !WorkstationId.safeParse(name).success ? await idsOf(name) : [name ?? word];
    if (words.length === 0) return `No workstation is called ${name}.`;
    let next = filter;
    for (const each of words) {
      const read = readWord(name ? `workstation:${each}` : each);
      if ("fault" in read) return read.fault;
      next = adding(next, read.field, read.value);
    }
    set(next);
    return undefined;
  };
  const onEnd = live ? undefined : more(pages);
  useTitle(
    filtered.length > 0 ? `${filtered.map(({ name, value }) => `${name}${value}`).join(" ")}, records` : undefined,
  );
  const active = rows.find((row) => keyOf(row) === open);
  const [trail, index] = (open ?? "").split(".").map(Number);

  return (
    <>
      <Header>
        <QueryBar
          placeholder="kind:usb.scan  severity:warning  workstation:name  guest:name  or any text"
          chips={filtered.map(({ chip, ...shown }) => ({ ...shown, onRemove: () => set(without(filter, chip)) }))}
          suggestions={[
            ...(choices?.kinds ?? []).map((kind) => `kind:${kind}`),
            ...(naming === undefined ? ["workstation:"] : (names ?? []).map(({ name }) => `workstation:${name}`)),
          ]}
          onType={setTyped}
          onAdd={onAdd}
        />
        <Since filter={filter} onChange={set} />
        <Button aria-pressed={live} look={live ? "main" : "plain"} onClick={() => go(filter, open, !live, "push")}>
          {tail.state === "live" ? "● Live" : tail.state === "connecting" ? "◐ Connecting…" : "Live"}
        </Button>
      </Header>
      {faults.length > 0 && (
        <p role="alert" className="border-b border-line px-5 py-1.5 text-hold">
          ◐ Part of this address could not be read and is left out: {faults.join("; ")}
        </p>
      )}
      {live && tail.skipped && (
        <p role="status" className="border-b border-line px-5 py-1.5 text-hold">
          ◐ Lines came faster than they can be read, and some are not shown here. Narrow the query, or turn Live off to
          page through all of them.
        </p>
      )}
      <div className="flex min-h-0 flex-1">
        <Facets filter={filter} onChange={set} choices={choices} narrow={open !== undefined} />
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          {!live && (pending || rows.length > 0) && (
            <OverTime filter={filter} onNarrow={(range) => set({ ...filter, ...range })} />
          )}
          {fault !== undefined ? (
            <Fault message={fault} again={() => (live ? tail.again() : void pages.refetch())} />
          ) : pending ? (
            <Waiting />
          ) : rows.length === 0 ? (
            <NothingHere filter={filter} live={live} />
          ) : (
            <Table<RecordRow>
              label="Records, newest first"
              columns={columns(open !== undefined || !wide, clockTrack(rows.map(({ time }) => time)))}
              rows={rows}
              keyOf={keyOf}
              active={open}
              onOpen={(row) => go(filter, row && keyOf(row), live, "replace")}
              onEnd={onEnd}
              foot={
                live
                  ? `The newest${rows.length < LINES_MAX ? "" : ` ${LINES_MAX}`}; older ones when Live is off.`
                  : pages.hasNextPage
                    ? "Loading…"
                    : "That is all of them."
              }
            />
          )}
        </div>
        {open !== undefined && Number.isInteger(trail) && Number.isInteger(index) && (
          <RecordDrawer
            tab={tab}
            onTab={(name) => go(filter, open, live, "replace", name)}
            trail={trail as number}
            index={index as number}
            {...(active && { row: active })}
            onClose={() => go(filter, undefined, live, "replace")}
            onFilter={(field, value) => set(adding(filter, field, value))}
            onOpen={(row) => go(filter, keyOf(row), live, "push")}
          />
        )}
      </div>
    </>
  );
}

function NothingHere({ filter, live }: { filter: Filter; live: boolean }) {
  if (chips(filter).length > 0)
    return (
      <Empty title="No record matches">
        {takenAsText(filter).map((hint) => (
          <p key={hint}>{hint}</p>
        ))}
        <p>Take a chip away, or widen the time. {live && "New ones that match will appear here by themselves."}</p>
      </Empty>
    );
  return (
    <Empty title="No record yet">
      <p>
        Records arrive as soon as an agent is enrolled and its guest says something. To try it by hand, send a line to
        this machine’s agent over syslog; “Try it” in the README shows how.
      </p>
    </Empty>
  );
}
