"use client";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { BlockButton } from "../../deny/view/button.tsx";
import { findingTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { bytes, plural } from "../../ui/bytes.ts";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { FoundRow } from "../store.ts";

const COLUMNS: Column<FoundRow>[] = [
  { head: "Time", track: "140px", mono: true, cell: (row) => <Clock time={row.scan.time} /> },
  { head: "Workstation", track: "minmax(90px, 130px)", mono: true, cell: (row) => row.scan.workstation.name },
  { head: "Path", track: "minmax(0, 1fr)", cell: (row) => <Untrusted text={row.path} /> },
  { head: "On", track: "minmax(0, 0.5fr)", cell: (row) => <Untrusted text={row.scan.source ?? "unnamed"} /> },
  { head: "Size", track: "80px", right: true, mono: true, cell: (row) => bytes(row.size) },
  { head: "Finding", track: "112px", cell: (row) => <Mark tone={findingTone(row.finding)}>{row.finding}</Mark> },
  {
    head: "Verdict",
    track: "76px",
    cell: (row) => <Mark tone={verdictTone(row.scan.verdict)}>{row.scan.verdict}</Mark>,
  },
];

/** Everywhere in the fleet where one hash was seen. */
export function Found({ hash }: { hash: string }) {
  const api = useApi();
  const router = useRouter();
  const found = useQuery(api.usb.find.queryOptions({ hash }));
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const { files, images } = found.data;
  if (files.length === 0 && images.length === 0)
    return (
      <Empty title="Nowhere in the fleet">
        <p>No manifest names this {hash.length === 32 ? "md5" : "sha256"}, and no stick’s image has it.</p>
      </Empty>
    );
  const stations = new Set(files.map((file) => file.scan.workstation.id)).size;
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-2 text-ink-2">
        <p>
          Seen {plural(files.length, "time")} on {plural(stations, "workstation")}
          {images.length > 0 && `; it is the image of ${plural(images.length, "stick")}`}.
        </p>
        {hash.length === 64 && <BlockButton what={hash} />}
      </div>
      <Table<FoundRow>
        label="Files with this hash, newest scan first"
        columns={COLUMNS}
        rows={files}
        keyOf={(row) => `${row.scan.trail}.${row.scan.index}.${row.position}`}
        active={undefined}
        onOpen={(row) => row && router.push(`/usb/${row.scan.trail}/${row.scan.index}`)}
      />
    </>
  );
}
