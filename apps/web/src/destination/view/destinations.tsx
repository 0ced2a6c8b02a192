"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** Where alerts are sent: whether they arrive, what waits, and what an admin does about it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { type ReactNode, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { Below } from "../../ui/below.tsx";
import { Button } from "../../ui/button.tsx";
import { Facts } from "../../ui/card.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark, Quiet } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, exact, useNow } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { FAILING_MS } from "../destination.ts";
import type { DestinationRow } from "../store.ts";
import { AddDestination, ChangeWanted, MoveDestination } from "./forms.tsx";

const EVERY_MS = 2_000;

function Stands({ row }: { row: DestinationRow }) {
  const now = useNow();
  if (!row.enabled) return <Quiet>off</Quiet>;
  if (row.failingSince !== null)
    return now - Date.parse(row.failingSince) >= FAILING_MS ? (
      <Mark tone="block">failing</Mark>
    ) : (
      <Mark tone="hold">trying</Mark>
    );
  return row.lastSuccessAt === null ? <Quiet>nothing yet</Quiet> : <Mark tone="allow">arrives</Mark>;
}

const wanted = ({ severity, kinds }: DestinationRow): string =>
  `${severity === "critical" ? "critical" : `${severity} or worse`}${kinds.length === 0 ? "" : `, ${kinds.join(", ")}`}`;

const COLUMNS: Column<DestinationRow>[] = [
  { head: "State", track: "104px", cell: (row) => <Stands row={row} /> },
  { head: "Name", track: "minmax(0, 0.8fr)", cell: ({ name }) => name },
  { head: "Goes to", track: "minmax(0, 1fr)", mono: true, cell: (row) => row.shown },
  { head: "Gets", track: "minmax(0, 0.8fr)", cell: (row) => <span title={wanted(row)}>{wanted(row)}</span> },
  { head: "Wait", track: "64px", right: true, mono: true, cell: ({ waiting }) => count(waiting) },
  { head: "Arrived", track: "80px", cell: ({ lastSuccessAt }) => <Ago time={lastSuccessAt} /> },
  {
    head: "Last error",
    track: "minmax(0, 1fr)",
    cell: ({ lastError, lastErrorAt }) =>
      lastError !== null && (
        <span title={lastError}>
          <Ago time={lastErrorAt} />: {lastError}
        </span>
      ),
  },
];

export function Destinations() {
  const api = useApi();
  const found = useQuery({ ...api.destination.list.queryOptions(), refetchInterval: EVERY_MS });
  const [adding, setAdding] = useState(false);
  const rows = found.data ?? [];
  const open = useSearchParams().get("open") ?? undefined;
  const row = rows.find(({ id }) => id === open);
  const show = (row: DestinationRow | undefined) => setAddress(searchOf({ open: row?.id }), "replace");
  return (
    <>
      <Header title="Destinations" about="Where alerts are sent as they are raised.">
        <Button look="main" onClick={() => setAdding(true)}>
          Add a destination…
        </Button>
      </Header>
      <Listed
        asked={found}
        isEmpty={rows.length === 0}
        empty={
          <Empty title="Alerts are sent nowhere">
            <p>
              They stand in this console until somebody looks. A destination gets each alert as it is raised: a chat, a
              pager or a SIEM by webhook over HTTPS, or a SIEM by syslog over TLS. What does not arrive is tried again,
              in order, for three days.
            </p>
          </Empty>
        }
      >
        <Table<DestinationRow>
          label="Destinations, by name"
          columns={COLUMNS}
          rows={rows}
          keyOf={({ id }) => id}
          active={open}
          onOpen={show}
        />
      </Listed>
      {row && <Detail key={row.id} row={row} onClose={() => show(undefined)} />}
      {adding && <AddDestination onClose={() => setAdding(false)} />}
    </>
  );
}

function TestWords({ test: { asked, at, error } }: { test: DestinationRow["test"] }) {
  if (asked) return "asked for; a worker takes it within seconds";
  if (at === null) return "none yet";
  return error === null ? (
    <>
      <Mark tone="allow">taken</Mark> <Ago time={at} />
    </>
  ) : (
    <>
      <Mark tone="block">failed</Mark> <Ago time={at} />: {error}
    </>
  );
}

function Detail({ row, onClose }: { row: DestinationRow; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  const [doing, setDoing] = useState<"change" | "move" | "remove" | "off">();
  const again = () => client.invalidateQueries({ queryKey: api.destination.list.queryKey() });
  const test = useMutation({ ...api.destination.test.mutationOptions(), onSuccess: again, onError: tell.failed });
  const enable = useMutation({ ...api.destination.enable.mutationOptions(), onSuccess: again, onError: tell.failed });
  const facts: [string, ReactNode][] = [
    ["Goes to", `${row.kind}, ${row.shown}`],
    ["Gets", wanted(row)],
    ["Waiting", row.waiting === 0 ? "none" : plural(row.waiting, "alert")],
    ["Test", <TestWords key="t" test={row.test} />],
    ["Arrived", row.lastSuccessAt === null ? "nothing yet" : exact(row.lastSuccessAt)],
  ];
  if (row.lastError !== null && row.lastErrorAt !== null)
    facts.push(["Last error", `${exact(row.lastErrorAt)}: ${row.lastError}`]);
  if (row.failingSince !== null && row.enabled)
    facts.push([
      "Failing",
      <span key="f">
        since {exact(row.failingSince)}, {plural(row.failures, "time")} in a row; again <Ago time={row.nextAt} />
      </span>,
    ]);
  if (row.leftOutAt !== null) facts.push(["Given up", `${plural(row.leftOut, "alert")}, last ${exact(row.leftOutAt)}`]);
  facts.push(["Added", `${exact(row.addedAt)} by ${row.addedBy}`]);
  return (
    <>
      <Below
        onClose={onClose}
        acts={
          <>
            <Button onClick={() => test.mutate({ id: row.id })} disabled={test.isPending || row.test.asked}>
              Send a test
            </Button>
            <Button onClick={() => setDoing("change")}>Change…</Button>
            <Button onClick={() => setDoing("move")}>Change where it goes…</Button>
            {row.enabled ? (
              <Button onClick={() => setDoing("off")}>Switch off…</Button>
            ) : (
              <Button onClick={() => enable.mutate({ id: row.id, enabled: true })}>Switch on</Button>
            )}
            <Button look="danger" onClick={() => setDoing("remove")}>
              Remove…
            </Button>
          </>
        }
      >
        <Facts rows={facts} />
      </Below>
      {doing === "change" && <ChangeWanted row={row} onClose={() => setDoing(undefined)} />}
      {doing === "move" && <MoveDestination row={row} onClose={() => setDoing(undefined)} />}
      {(doing === "remove" || doing === "off") && <End row={row} how={doing} onClose={() => setDoing(undefined)} />}
    </>
  );
}

/** It gets nothing more, for a while or for good. */
function End({ row, how, onClose }: { row: DestinationRow; how: "remove" | "off"; onClose: () => void }) {
  const api = useApi();
  const client = useQueryClient();
  const done = {
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: api.destination.list.queryKey() });
      onClose();
    },
  };
  const remove = useMutation({ ...api.destination.remove.mutationOptions(), ...done });
  const enable = useMutation({ ...api.destination.enable.mutationOptions(), ...done });
  const fault = remove.error?.message ?? enable.error?.message;
  const act = () => (how === "remove" ? remove.mutate({ id: row.id }) : enable.mutate({ id: row.id, enabled: false }));
  return (
    <Dialog
      open
      onClose={onClose}
      title={how === "remove" ? `Remove ${row.name}` : `Switch ${row.name} off`}
      description={`Alerts are not sent to it any more${row.waiting > 0 ? `, and ${row.waiting === 1 ? "the one that waits is" : `the ${count(row.waiting)} that wait are`} dropped` : ""}. They stand in this console all the same.${how === "remove" ? " Its address and secret are forgotten." : ""}`}
    >
      {fault && (
        <p role="alert" className="pb-3 text-block">
          ■ {fault}
        </p>
      )}
      <Ends onCancel={onClose}>
        <Button look="danger" onClick={act} disabled={remove.isPending || enable.isPending}>
          {how === "remove" ? "Remove" : "Switch off"}
        </Button>
      </Ends>
    </Dialog>
  );
}
