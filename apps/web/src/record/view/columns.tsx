import type { Column } from "../../ui/table.tsx";
import { Clock } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordRow } from "../store.ts";
import { SeverityMark } from "./severity.tsx";

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

/** One row grammar: time · workstation · subject · severity · kind. Beside an open drawer, or in a narrow window, the last
 *  gives way.
 *  `clock` is how wide times are. */
export function columns(narrow: boolean, clock: string): Column<RecordRow>[] {
  const all: Column<RecordRow>[] = [
    { head: "Time", track: clock, mono: true, cell: (row) => <Clock time={row.time} /> },
    {
      head: "Workstation",
      track: narrow ? "84px" : "minmax(84px, 110px)",
      mono: true,
      cell: (row) =>
        row.workstation ? <Untrusted text={row.workstation.name} /> : <span className="text-ink-3">console</span>,
    },
    { head: "Subject", track: "minmax(0, 1fr)", cell: (row) => <Subject row={row} /> },
    {
      head: "Severity",
      track: "80px",
      cell: (row) => <SeverityMark severity={row.severity} />,
    },
    {
      head: "Kind",
      track: "minmax(132px, 0.25fr)",
      mono: true,
      cell: (row) => <span className="text-ink-2">{row.kind}</span>,
    },
  ];
  return narrow ? all.slice(0, -1) : all;
}
