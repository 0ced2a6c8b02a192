"use client";
/** What waits for signatures, oldest first, and what is over. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { Views } from "../../ui/views.tsx";
import type { Row } from "../store.ts";
import { KIND_WORDS, StateMark } from "./words.tsx";

const EVERY_MS = 3_000;

const VIEWS = [
  ["waiting", "Waiting"],
  ["over", "Over"],
] as const;

const COLUMNS: Column<Row>[] = [
  { head: "Signatures", track: "128px", cell: (row) => <StateMark row={row} /> },
  { head: "Kind", track: "104px", cell: (row) => <span className="text-ink-2">{KIND_WORDS[row.kind]}</span> },
  { head: "Group", track: "minmax(90px, 0.4fr)", cell: (row) => <b className="font-medium">{row.group.name}</b> },
  {
    head: "What, and why",
    track: "minmax(0, 1.6fr)",
    leads: true,
    cell: (row) => (
      <>
        <Untrusted text={row.text} />
        {row.message && (
          <span className="text-ink-2">
            {" · "}
            <Untrusted text={row.message} />
          </span>
        )}
        {row.state === "failed" && row.reason && (
          <span className="text-block">
            {" · "}
            <Untrusted text={row.reason} />
          </span>
        )}
      </>
    ),
  },
  {
    head: "Signed by",
    track: "minmax(90px, 0.5fr)",
    cell: (row) => <span className="text-ink-2">{row.signed.map(({ name }) => name).join(", ") || "nobody yet"}</span>,
  },
  { head: "Asked", track: "88px", cell: (row) => <Ago time={row.askedAt} /> },
  { head: "By", track: "minmax(80px, 130px)", cell: (row) => row.by },
];

export function Approvals() {
  const isOver = useSearchParams().get("state") === "over";
  return (
    <>
      <Header title="Approvals">
        <Views
          label="State"
          views={VIEWS}
          value={isOver ? "over" : "waiting"}
          onChoose={(state) => setAddress(state === "over" ? "state=over" : "", "push")}
        />
        <Grow />
        <span className="text-ink-2">Signed outside the console, by keys that it does not hold.</span>
      </Header>
      {isOver ? <Over /> : <StillWaiting />}
    </>
  );
}

function Rows({ label, rows, onEnd }: { label: string; rows: Row[]; onEnd: () => void }) {
  return (
    <Table<Row>
      label={label}
      columns={COLUMNS}
      rows={rows}
      keyOf={(row) => row.id}
      hrefOf={(row) => `/approvals/${row.id}`}
      onEnd={onEnd}
    />
  );
}

function StillWaiting() {
  const api = useApi();
  const found = useInfiniteQuery({
    ...api.approval.waiting.infiniteQueryOptions({}, { getNextPageParam: ({ next }) => next }),
    refetchInterval: pace(EVERY_MS),
  });
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const rows = rowsOf(found.data.pages, ({ id }) => id);
  if (rows.length > 0) return <Rows label="Waiting for signatures, the oldest first" rows={rows} onEnd={more(found)} />;
  return (
    <Empty title="Nothing waits for signatures">
      <p>
        A group may have approvers, whose keys are outside the console. Its policies, moves, exceptions and destructive
        commands then wait here until as many have signed as must:{" "}
        <code className="mono">sallyport sign --key FILE</code>. An owner names them on the group’s page, under Policy.
      </p>
    </Empty>
  );
}

function Over() {
  const api = useApi();
  const found = useInfiniteQuery(api.approval.over.infiniteQueryOptions({}, { getNextPageParam: ({ next }) => next }));
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const rows = rowsOf(found.data.pages, ({ id }) => id);
  if (rows.length === 0) return <Empty title="Nothing has waited for signatures yet" />;
  return <Rows label="No longer waiting, the newest first" rows={rows} onEnd={more(found)} />;
}
