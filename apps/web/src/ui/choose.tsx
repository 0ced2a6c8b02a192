"use client";
/** A box in each row, and one above them all; a click on a box opens nothing. */
import type { Column } from "./table.tsx";

type Chosen<T> = ReadonlyMap<string, T>;
type Props<T> = {
  rows: readonly T[];
  keyOf: (row: T) => string;
  nameOf: (row: T) => string;
  chosen: Chosen<T>;
  onChoose: (next: Chosen<T>) => void;
};

export function choosing<T>({ rows, keyOf, nameOf, chosen, onChoose }: Props<T>): Column<T> {
  const isAll = rows.length > 0 && rows.every((row) => chosen.has(keyOf(row)));
  const turn = (some: readonly T[], isOn: boolean) => {
    const next = new Map(chosen);
    for (const row of some)
      if (isOn) next.set(keyOf(row), row);
      else next.delete(keyOf(row));
    onChoose(next);
  };
  return {
    head: "Chosen",
    track: "24px",
    top: <Box label="Choose all that are listed" isOn={isAll} onTurn={(isOn) => turn(rows, isOn)} />,
    cell: (row) => (
      <Box label={`Choose ${nameOf(row)}`} isOn={chosen.has(keyOf(row))} onTurn={(isOn) => turn([row], isOn)} />
    ),
  };
}

function Box({ label, isOn, onTurn }: { label: string; isOn: boolean; onTurn: (isOn: boolean) => void }) {
  const stop = (event: { stopPropagation(): void }) => event.stopPropagation();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: only keeps a click beside the box from opening the row
    <label className="flex h-full items-center" onClick={stop}>
      <input
        type="checkbox"
        aria-label={label}
        checked={isOn}
        onChange={(event) => onTurn(event.target.checked)}
        onKeyDown={stop}
        className="size-3.5 accent-ink"
      />
    </label>
  );
}
