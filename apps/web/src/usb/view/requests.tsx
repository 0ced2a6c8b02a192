"use client";
/** Sticks that asked to pass, and what came of each: nobody has answered, it waits for signatures, it may pass until a
 *  moment, that moment has come, somebody took it back, or said no. */
import { useQuery } from "@tanstack/react-query";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { bytes, plural } from "../../ui/bytes.ts";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark, Quiet } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock, clockTrack, useNow } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RequestRow } from "../requests.ts";

const EVERY_MS = 5_000;

const columns = (asked: string): Column<RequestRow>[] => [
  { head: "Asked", track: asked, mono: true, cell: (row) => <Clock time={row.time} /> },
  { head: "Workstation", track: "minmax(70px, 110px)", mono: true, cell: (row) => row.workstation.name },
  {
    head: "Stick",
    track: "minmax(0, 0.9fr)",
    leads: true,
    cell: (row) => (
      <>
        <Untrusted text={row.stick} /> <span className="text-ink-3">· {plural(row.files, "file")}</span>
      </>
    ),
  },
  { head: "Held because", track: "minmax(0, 1fr)", cell: (row) => <Untrusted text={row.why} /> },
  {
    head: "Asks for",
    track: "136px",
    cell: (row) => <span title={row.handsOver}>{asksFor(row)}</span>,
  },
  { head: "State", track: "112px", cell: (row) => <State row={row} /> },
  { head: "Ends", track: "64px", cell: ({ what }) => ("until" in what ? <Ago time={what.until} /> : "") },
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
  const found = useQuery({ ...api.usb.requests.queryOptions(), refetchInterval: EVERY_MS });
  const rows = found.data ?? [];
  return (
    <>
      <Header title="Requests and exceptions">
        <span className="ml-3 text-ink-2">
          Of two months. A request is answered, and an exception taken back, on its scan.
        </span>
        <Grow />
        <ButtonLink href="/usb">Scans</ButtonLink>
      </Header>
      <Listed
        asked={found}
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
          label="Requests, the newest first"
          columns={columns(clockTrack(rows.map(({ time }) => time)))}
          rows={rows}
          keyOf={(row) => `${row.trail}.${row.index}`}
          hrefOf={(row) =>
            row.scan === null
              ? `/explore?workstation=${row.workstation.id}&open=${row.trail}.${row.index}`
              : `/usb/${row.trail}/${row.scan}`
          }
        />
      </Listed>
    </>
  );
}
