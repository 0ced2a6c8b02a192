"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { BlockButton } from "../../deny/view/button.tsx";
import { findingTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { Below } from "../../ui/below.tsx";
import { Button, ButtonLink } from "../../ui/button.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Facts } from "../../ui/card.tsx";
import { Copy, Hash } from "../../ui/copy.tsx";
import { Empty, Fault, Listed, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { more } from "../../ui/more.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago, Clock } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { FileRow } from "../store.ts";
import { Exception } from "./exception.tsx";

const COLUMNS: Column<FileRow>[] = [
  { head: "Path", track: "minmax(0, 1.4fr)", cell: (row) => <Untrusted text={row.path} /> },
  { head: "Finding", track: "112px", cell: (row) => <Mark tone={findingTone(row.finding)}>{row.finding}</Mark> },
  { head: "Detail", track: "minmax(0, 0.7fr)", cell: (row) => row.detail && <Untrusted text={row.detail} /> },
  { head: "Size", track: "76px", right: true, mono: true, cell: (row) => bytes(row.size) },
  {
    head: "Type",
    track: "minmax(80px, 150px)",
    mono: true,
    cell: (row) => <span className="text-ink-2">{row.type ?? "–"}</span>,
  },
  { head: "md5", track: "112px", mono: true, cell: (row) => short(row.md5) },
  { head: "sha256", track: "112px", mono: true, cell: (row) => short(row.sha256) },
];

const short = (hash: string | null) =>
  hash === null ? (
    <span className="text-ink-3">not read</span>
  ) : (
    <span title={hash}>
      {hash.slice(0, 7)}… <Copy text={hash} />
    </span>
  );

/** One scan and its manifest, what is not clean first. */
export function Scan({ trail, index }: { trail: number; index: number }) {
  const api = useApi();
  const params = useSearchParams();
  const suspect = params.get("files") === "not-clean";
  const at = params.get("file") ?? undefined;
  const go = (only: boolean, file: string | undefined) =>
    setAddress(searchOf({ files: only ? "not-clean" : "", file }), only === suspect ? "replace" : "push");
  const scan = useQuery(api.usb.get.queryOptions({ trail, index }));
  useTitle(scan.data && `${scan.data.source ?? "unnamed"}, ${scan.data.verdict} on ${scan.data.workstation.name}`);
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
        <Button aria-pressed={suspect} look={suspect ? "main" : "plain"} onClick={() => go(!suspect, undefined)}>
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
            [
              "Workstation",
              <span key="w">
                <Link href={`/workstations/${data.workstation.id}`} className="underline">
                  <Untrusted text={data.workstation.name} />
                </Link>
                {" · "}
                <Link href={`/usb?workstation=${data.workstation.id}`} className="underline">
                  its sticks
                </Link>
              </span>,
            ],
            [
              "Read",
              <span key="r">
                <Clock time={data.time} />, <Ago time={data.time} />
              </span>,
            ],
          ]}
        />
        <Facts
          names={52}
          rows={[
            ["Image", data.image.sha256 ? <Image key="i" sha256={data.image.sha256} /> : "a folder, no image"],
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
      <Listed
        asked={pages}
        isEmpty={rows.length === 0}
        empty={<Empty title={suspect ? "Everything was clean" : "Nothing was on it"} />}
      >
        <Table<FileRow>
          label="Files of the manifest"
          columns={COLUMNS}
          rows={rows}
          keyOf={(row) => String(row.position)}
          active={at}
          onOpen={(row) => go(suspect, row && String(row.position))}
          onEnd={more(pages)}
        />
      </Listed>
      {at !== undefined && /^\d{1,9}$/.test(at) && (
        <FileDetail at={{ trail, index, position: Number(at) }} onClose={() => go(suspect, undefined)} />
      )}
    </>
  );
}

const Image = ({ sha256 }: { sha256: string }) => (
  <>
    <Hash text={sha256} ends={5} />{" "}
    <Link href={`/usb?hash=${sha256}`} className="whitespace-nowrap underline">
      seen elsewhere?
    </Link>
  </>
);

type FileAt = { trail: number; index: number; position: number };

function FileDetail({ at, onClose }: { at: FileAt; onClose: () => void }) {
  const api = useApi();
  const found = useQuery({
    ...api.usb.file.queryOptions(at),
    placeholderData: keepPreviousData,
  });
  if (found.isError) return <Fault message={found.error.message} />;
  if (found.isPending) return null;
  const file = found.data;
  const hash = (text: string | null) =>
    text === null ? (
      "could not be read whole"
    ) : (
      <>
        {text} <Copy text={text} />{" "}
        <Link className="underline" href={`/usb?hash=${text}`}>
          seen elsewhere?
        </Link>
      </>
    );
  return (
    <Below onClose={onClose} acts={file.sha256 !== null && <BlockButton what={file.sha256} />}>
      <Facts
        rows={[
          [
            "Path",
            <span key="p">
              <Untrusted text={file.path} /> <Copy text={file.path} />
            </span>,
          ],
          [
            "Finding",
            <span key="f">
              <Mark tone={findingTone(file.finding)}>{file.finding}</Mark>{" "}
              {file.detail !== null && <Untrusted text={file.detail} />}
            </span>,
          ],
          ["md5", hash(file.md5)],
          ["sha256", hash(file.sha256)],
        ]}
      />
    </Below>
  );
}
