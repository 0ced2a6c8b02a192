"use client";
/** What is blocked everywhere at once: what stands and how far it has come, and then what has ended. */
import { DenyId } from "@sallyport/shared/policy/overlay.ts";
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { type FormEvent, type ReactNode, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { Below } from "../../ui/below.tsx";
import { Button } from "../../ui/button.tsx";
import { Facts } from "../../ui/card.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Why } from "../../ui/field.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark, Quiet } from "../../ui/mark.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, exact } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { SORTS } from "../sort.ts";
import type { DenyRow } from "../store.ts";
import { BlockButton } from "./button.tsx";

/** Its reach grows by the second. */
const EVERY_MS = 2_000;

const COLUMNS: Column<DenyRow>[] = [
  {
    head: "State",
    track: "92px",
    cell: ({ ended }) => (ended === null ? <Mark tone="block">blocked</Mark> : <Quiet>{ended.how}</Quiet>),
  },
  {
    head: "What",
    sort: { word: "what" },
    track: "minmax(0, 1fr)",
    mono: true,
    cell: (row) => <Untrusted text={row.words} />,
  },
  { head: "For", sort: { word: "for" }, track: "minmax(112px, 0.5fr)", cell: (row) => row.whose },
  {
    head: "Ends",
    sort: { word: "ends" },
    track: "72px",
    cell: (row) => <Ago time={row.ended?.how === "lifted" ? row.ended.at : row.until} />,
  },
  {
    head: "Reach",
    track: "minmax(150px, 0.9fr)",
    cell: ({ reach }) =>
      reach && (
        <span title={reach.words}>
          {reach.cannot + reach.unaware > 0 && <span className="text-hold">◐ </span>}
          {reach.words}
        </span>
      ),
  },
  { head: "Reason", track: "minmax(0, 0.7fr)", cell: (row) => <Untrusted text={row.reason} /> },
  { head: "By", track: "minmax(80px, 0.5fr)", cell: (row) => row.addedBy },
];

export function Blocked() {
  const api = useApi();
  const params = useSearchParams();
  const sort = SORTS.find((each) => each === params.get("sort"));
  const pages = useInfiniteQuery({
    ...api.deny.list.infiniteQueryOptions({ sort }, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  const open = params.get("open") ?? undefined;
  const listed = rows.find(({ id }) => id === open);
  // one that a link names may be far down
  const linked = useQuery({
    ...api.deny.get.queryOptions({ id: open ?? "" }),
    enabled: !listed && DenyId.safeParse(open).success && pages.isSuccess,
    refetchInterval: EVERY_MS,
  }).data;
  const row = listed ?? linked;
  const show = (row: DenyRow | undefined) => setAddress(searchOf({ sort, open: row?.id }), "replace");
  return (
    <>
      <Header title="Blocked" about="Whatever a policy says, until it ends: files, devices, addresses.">
        <BlockButton look="danger" />
      </Header>
      <Listed
        asked={pages}
        isEmpty={rows.length === 0}
        empty={
          <Empty title="Nothing is blocked by hand">
            <p>
              A hash, a device or an address that must not spread is blocked here on every connected workstation within
              seconds, signed by the console’s key alone, and ends by itself. The same button stands beside files of a
              scan and in the story of a device, a drop or an alert.
            </p>
          </Empty>
        }
      >
        <Table<DenyRow>
          label={`What is blocked${sort ? "" : ", the newest first"}, then what has ended`}
          sorted={{ by: sort ?? "", onSort: (by) => setAddress(searchOf({ sort: by, open }), "push") }}
          columns={COLUMNS}
          rows={rows}
          keyOf={({ id }) => id}
          active={open}
          onOpen={show}
          onEnd={more(pages)}
        />
      </Listed>
      {row && <Detail key={row.id} row={row} onClose={() => show(undefined)} />}
    </>
  );
}

function Detail({ row, onClose }: { row: DenyRow; onClose: () => void }) {
  const [lifting, setLifting] = useState(false);
  const mayLift = useMay("deny") && row.ended === null;
  const rows: [string, ReactNode][] = [
    ["What", <Untrusted key="w" text={row.words} />],
    ["For", row.whose],
    ["Reason", <Untrusted key="r" text={row.reason} />],
    ["Added", `${exact(row.addedAt)} by ${row.addedBy}`],
    ["Ends", exact(row.until)],
    ["Name", `${row.id}: in counters, in drops and on each workstation’s trail`],
  ];
  if (row.reach) rows.push(["Reach", row.reach.words]);
  if (row.ended?.how === "lifted")
    rows.push(["Lifted", `${exact(row.ended.at)} by ${row.ended.by}: ${row.ended.reason}`]);
  return (
    <>
      <Below onClose={onClose} acts={mayLift && <Button onClick={() => setLifting(true)}>Lift…</Button>}>
        <Facts rows={rows} />
      </Below>
      {lifting && <Lift row={row} onClose={() => setLifting(false)} />}
    </>
  );
}

function Lift({ row, onClose }: { row: DenyRow; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  const lift = useMutation({
    ...api.deny.lift.mutationOptions(),
    onSuccess: async ({ words, whose }) => {
      tell.done(`${words} is not blocked by the overlay of ${whose} any more.`);
      await client.invalidateQueries({ queryKey: api.deny.list.pathKey() });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    lift.mutate({ id: row.id, reason: String(new FormData(event.currentTarget).get("reason")) });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Lift it before it ends"
      description={`It passes again on ${row.whose} wherever the policy lets it. Workstations that are away go on blocking it until they return.`}
    >
      <form onSubmit={submit} className="grid gap-3">
        <Why maxLength={200} autoFocus fault={lift.error?.message} />
        <Ends onCancel={onClose}>
          <Button look="danger" type="submit" disabled={lift.isPending}>
            Sign and lift
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
