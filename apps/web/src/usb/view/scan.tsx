"use client";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { BlockButton } from "../../deny/view/button.tsx";
import { findingTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { Button, ButtonLink } from "../../ui/button.tsx";
import { bytes, count } from "../../ui/bytes.ts";
import { Facts } from "../../ui/card.tsx";
import { Copy, Hash } from "../../ui/copy.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { FileRow } from "../store.ts";
import { Exception } from "./exception.tsx";

const COLUMNS: Column<FileRow>[] = [
  { head: "Path", track: "minmax(0, 1.4fr)", cell: (row) => <Untrusted text={row.path} /> },
  { head: "Size", track: "76px", right: true, mono: true, cell: (row) => bytes(row.size) },
  {
    head: "Type",
    track: "minmax(80px, 150px)",
    mono: true,
    cell: (row) => <span className="text-ink-2">{row.type ?? "–"}</span>,
  },
  { head: "md5", track: "112px", mono: true, cell: (row) => short(row.md5) },
  { head: "sha256", track: "112px", mono: true, cell: (row) => short(row.sha256) },
  { head: "Finding", track: "112px", cell: (row) => <Mark tone={findingTone(row.finding)}>{row.finding}</Mark> },
  { head: "Detail", track: "minmax(0, 0.7fr)", cell: (row) => row.detail && <Untrusted text={row.detail} /> },
];

const short = (hash: string | null) =>
  hash === null ? (
    <span className="text-ink-3">not read</span>
  ) : (
    <span title={hash}>
      {hash.slice(0, 7)}… <Copy text={hash} />
    </span>
  );

/** One scan and its manifest. */
export function Scan({ trail, index }: { trail: number; index: number }) {
  const api = useApi();
  const [suspect, setSuspect] = useState(false);
  const [open, setOpen] = useState<FileRow>();
  const scan = useQuery(api.usb.get.queryOptions({ trail, index }));
  const pages = useInfiniteQuery({
    ...api.usb.files.infiniteQueryOptions({ trail, index, suspect }, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
  });
  if (scan.isError) return <Fault message={scan.error.message} again={() => void scan.refetch()} />;
  if (scan.isPending) return <Waiting />;
  const { data } = scan;
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  return (
    <>
      <Header title={<Untrusted text={data.source ?? "unnamed"} />}>
        <Mark tone={verdictTone(data.verdict)}>{data.verdict}</Mark>
        <span className="min-w-0 truncate text-ink-2" title={data.reason}>
          {data.reason}
        </span>
        <Grow />
        <Button aria-pressed={suspect} look={suspect ? "main" : "plain"} onClick={() => setSuspect(!suspect)}>
          Not clean: {count(data.infected + data.unscannable)}
        </Button>
        <ButtonLink href={`/explore?workstation=${data.workstation.id}&kind=usb.*&open=${trail}.${index}`}>
          Record and proof
        </ButtonLink>
      </Header>
      <div className="grid grid-cols-2 gap-x-10 border-b border-line px-5 py-3 xl:grid-cols-3">
        <Facts
          names={88}
          rows={[
            ["Workstation", data.workstation.name],
            ["Read", <Ago key="r" time={data.time} />],
          ]}
        />
        <Facts
          names={88}
          rows={[
            ["Image", data.image.sha256 ? <Hash key="i" text={data.image.sha256} ends={10} /> : "a folder, no image"],
            ["Size", data.image.size === null ? "–" : bytes(data.image.size)],
          ]}
        />
        <Facts
          names={88}
          rows={[
            ["Scanner", data.engine ?? "none: nothing counts as clean"],
            ["Definitions", data.definitions ?? "–"],
          ]}
        />
      </div>
      {data.verdict === "hold" && <Exception trail={trail} index={index} />}
      {pages.isError ? (
        <Fault message={pages.error.message} again={() => void pages.refetch()} />
      ) : pages.isPending ? (
        <Waiting />
      ) : rows.length === 0 ? (
        <Empty title={suspect ? "Everything was clean" : "Nothing was on it"} />
      ) : (
        <Table<FileRow>
          label="Files of the manifest"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => String(row.position)}
          active={open && String(open.position)}
          onOpen={setOpen}
          onEnd={() => pages.hasNextPage && !pages.isFetchingNextPage && void pages.fetchNextPage()}
        />
      )}
      {open && <FileDetail file={open} />}
    </>
  );
}

function FileDetail({ file }: { file: FileRow }) {
  const hash = (text: string | null) =>
    text === null ? (
      "could not be read whole"
    ) : (
      <>
        {text} <Copy text={text} />{" "}
        <a className="underline" href={`/usb?hash=${text}`}>
          seen elsewhere?
        </a>
      </>
    );
  return (
    <div className="border-t border-line bg-panel px-5 py-3">
      <Facts
        rows={[
          ["Path", <Untrusted key="p" text={file.path} />],
          ["md5", hash(file.md5)],
          ["sha256", hash(file.sha256)],
        ]}
      />
      {file.sha256 !== null && (
        <p className="mt-2">
          <BlockButton what={file.sha256} />
        </p>
      )}
    </div>
  );
}
