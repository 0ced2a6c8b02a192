import { Mark } from "../../ui/mark.tsx";
import type { Column } from "../../ui/table.tsx";
import { Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordRow } from "../store.ts";
import { severityTone } from "./tone.ts";

export function Subject({ row }: { row: RecordRow }) {
  if (row.text === null) return <span className="text-ink-3">contents are not for your role</span>;
  return (
    <>
      {row.guest && <span className="mono text-ink-3">{row.guest} </span>}
      <Untrusted text={row.text} />
      {row.marked && (
        <span className="text-hold" title={row.marked}>
          {" "}
          ◐ marked
        </span>
      )}
    </>
  );
}

/** One row grammar: time · workstation · subject · severity · kind. Beside an open drawer the last gives way. */
export function columns(narrow: boolean): Column<RecordRow>[] {
  const all: Column<RecordRow>[] = [
    { head: "Time", track: narrow ? "100px" : "138px", mono: true, cell: (row) => <Clock time={row.time} /> },
    {
      head: "Workstation",
      track: narrow ? "84px" : "minmax(84px, 110px)",
      mono: true,
      cell: (row) => row.workstation?.name ?? <span className="text-ink-3">console</span>,
    },
    { head: "Subject", track: "minmax(0, 1fr)", cell: (row) => <Subject row={row} /> },
    {
      head: "Severity",
      track: "88px",
      cell: (row) => <Mark tone={severityTone(row.severity)}>{row.severity}</Mark>,
    },
    { head: "Kind", track: "128px", mono: true, cell: (row) => <span className="text-ink-2">{row.kind}</span> },
  ];
  return narrow ? all.slice(0, -1) : all;
}
