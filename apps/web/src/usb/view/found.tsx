"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import { useQuery } from "@tanstack/react-query";
import { BlockButton } from "../../deny/view/button.tsx";
import { findingTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { FoundRow, ScanRow } from "../store.ts";

/** A file with the hash; or a stick whose whole image has it, which has neither path nor finding of its own. */
type Row = {
  scan: ScanRow;
  position: number | "image";
  path: string | null;
  size: number | null;
  finding: FoundRow["finding"] | null;
};

const columns = (times: readonly string[]): Column<Row>[] => [
  { head: "Time", track: clockTrack(times), mono: true, cell: (row) => <Clock time={row.scan.time} /> },
  { head: "Workstation", track: "minmax(90px, 130px)", mono: true, cell: (row) => row.scan.workstation.name },
  {
    head: "Path",
    track: "minmax(0, 1fr)",
    leads: true,
    cell: (row) => (row.path === null ? "the whole image" : <Untrusted text={row.path} />),
  },
  { head: "On", track: "minmax(0, 0.5fr)", cell: (row) => <Untrusted text={row.scan.source ?? "unnamed"} /> },
  { head: "Size", track: "80px", right: true, mono: true, cell: (row) => (row.size === null ? "–" : bytes(row.size)) },
  {
    head: "Finding",
    track: "112px",
    cell: (row) => row.finding && <Mark tone={findingTone(row.finding)}>{row.finding}</Mark>,
  },
  {
    head: "Verdict",
    track: "76px",
    cell: (row) => <Mark tone={verdictTone(row.scan.verdict)}>{row.scan.verdict}</Mark>,
  },
];

/** Everywhere in the fleet where one hash was seen. */
export function Found({ hash }: { hash: string }) {
  const api = useApi();
  const found = useQuery(api.usb.find.queryOptions({ hash }));
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const { files, images } = found.data;
  const rows = [
    ...images.map((scan): Row => ({ scan, path: null, size: scan.image.size, finding: null, position: "image" })),
    ...files.map((row): Row => row),
  ].sort((a, b) => (a.scan.received < b.scan.received ? 1 : -1));
  if (files.length === 0 && images.length === 0)
    return (
      <Empty title="Nowhere in the fleet">
        <p>No manifest names this {hash.length === 32 ? "md5" : "sha256"}, and no stick’s image has it.</p>
      </Empty>
    );
  const stations = new Set(rows.map(({ scan }) => scan.workstation.id)).size;
  const seen = [
    ...(files.length > 0 ? [`a file, ${plural(files.length, "time")}`] : []),
    ...(images.length > 0 ? [`the whole image of a stick, ${plural(images.length, "time")}`] : []),
  ];
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-2 text-ink-2">
        <p>
          Seen as {seen.join(" and as ")}, on {plural(stations, "workstation")}.
        </p>
        {hash.length === 64 && <BlockButton what={hash} />}
      </div>
      <Table<Row>
        label="Where this hash was seen, newest scan first"
        columns={columns(rows.map(({ scan }) => scan.time))}
        rows={rows}
        keyOf={(row) => `${row.scan.trail}.${row.scan.index}.${row.position}`}
        hrefOf={({ scan, position }) =>
          `/usb/${scan.trail}/${scan.index}${position === "image" ? "" : `?file=${position}`}`
        }
      />
    </>
  );
}
