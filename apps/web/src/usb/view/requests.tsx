"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** Sticks that asked to pass, and what came of each: nobody has answered, it waits for signatures, it may pass until a
 *  moment, that moment has come, somebody took it back, or said no. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark, Quiet } from "../../ui/mark.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack, useNow } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RequestRow } from "../requests.ts";
import { REQUEST_SORTS } from "../requests-sort.ts";

const EVERY_MS = 5_000;

const columns = (asked: string): Column<RequestRow>[] => [
  {
    head: "Asked",
    sort: { word: "asked", down: true },
    track: asked,
    mono: true,
    cell: (row) => <Clock time={row.time} />,
  },
  {
    head: "Workstation",
    sort: { word: "workstation" },
    track: "minmax(84px, 96px)",
    mono: true,
    cell: (row) => row.workstation.name,
  },
  {
    head: "Stick",
    track: "minmax(0, 1.6fr)",
    leads: true,
    cell: (row) => (
      <>
        <Untrusted text={row.stick} /> <span className="text-ink-3">· {plural(row.files, "file")}</span>
      </>
    ),
  },
  { head: "State", sort: { word: "state" }, track: "112px", cell: (row) => <State row={row} /> },
  { head: "Ends", track: "56px", cell: ({ what }) => ("until" in what ? <Ago time={what.until} /> : "") },
  { head: "Held because", track: "minmax(0, 1fr)", cell: (row) => <Untrusted text={row.why} /> },
  {
    head: "Asks for",
    track: "136px",
    cell: (row) => <span title={row.handsOver}>{asksFor(row)}</span>,
  },
  {
    head: "Why",
    track: "minmax(0, 1fr)",
    cell: ({ what }) => (
      <>
        {"reason" in what ? <Untrusted text={what.reason} /> : ""}
        {"by" in what ? <span className="text-ink-3"> · {what.by}</span> : ""}
      </>
    ),
  },
];

/** Short enough to be read whole in its column; the sentence that is decided upon is behind it, and on the scan. */
const asksFor = ({ images }: RequestRow): string => {
  if (!images) return "a copy of its files";
  return `${images.count === 1 ? "whole image" : `${images.count} whole images`}, ${bytes(images.bytes)}`;
};

/** It ends by itself here in the moment in which it ends there. */
function State({ row: { what } }: { row: RequestRow }) {
  const now = useNow();
  if (what.state === "asked") return <Mark tone="hold">asks</Mark>;
  if (what.state === "signing") return <Mark tone="hold">to be signed</Mark>;
  if (what.state === "revoked" || what.state === "refused") return <Mark tone="block">{what.state}</Mark>;
  if (what.state === "ended" || Date.parse(what.until) <= now) return <Quiet>ended</Quiet>;
  return <Mark tone="allow">may pass</Mark>;
}

export function Requests() {
  const api = useApi();
  const params = useSearchParams();
  const sort = REQUEST_SORTS.find((each) => each === params.get("sort")) ?? "-asked";
  const pages = useInfiniteQuery({
    ...api.usb.requests.infiniteQueryOptions({ sort }, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ trail, index }) => `${trail}.${index}`);
  const newestOf = pages.hasNextPage ? null : pages.data?.pages.at(-1)?.newestOf;
  return (
    <>
      <Header
        title="Requests and exceptions"
        about="Of two months. A request is answered, and an exception taken back, on its scan."
      >
        <ButtonLink href="/usb">Scans</ButtonLink>
      </Header>
      <Listed
        asked={pages}
        isEmpty={rows.length === 0}
        empty={
          <Empty title="No stick has asked to pass">
            <p>
              A stick that policy holds asks here. Whoever writes policy may let exactly its contents pass on that one
              workstation for a while; that is signed, is on the trail, and ends by itself.
            </p>
          </Empty>
        }
      >
        <Table<RequestRow>
          label="Requests"
          sorted={{ by: sort, onSort: (by) => setAddress(searchOf({ sort: by }), "push") }}
          columns={columns(clockTrack(rows.map(({ time }) => time)))}
          rows={rows}
          keyOf={(row) => `${row.trail}.${row.index}`}
          hrefOf={(row) =>
            row.scan === null
              ? `/explore?workstation=${row.workstation.id}&open=${row.trail}.${row.index}`
              : `/usb/${row.trail}/${row.scan}`
          }
          onEnd={more(pages)}
          foot={
            newestOf && (
              <p>
                These are of the newest {count(newestOf)} requests.{" "}
                <Link href="/explore?kind=usb.request" className="underline">
                  All of them
                </Link>{" "}
                are records.
              </p>
            )
          }
        />
      </Listed>
    </>
  );
}
