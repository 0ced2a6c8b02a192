"use client";
/** Rows by the ten thousand: only what is in sight is in the page. One row is active; j, k, Enter and Esc move it. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import { cx } from "./class.ts";
import { useKeys } from "./keys.tsx";

const ROW_PX = 29;
const OVERSCAN_ROWS = 12;
/** How near the end the next page is asked for. */
const AHEAD_ROWS = 20;

export type Column<T> = {
  head: string;
  /** What stands in its place, where that is no word. */
  top?: ReactNode;
  /** A grid track: `120px`, `minmax(0, 1fr)`. */
  track: string;
  cell: (row: T) => ReactNode;
  right?: boolean;
  mono?: boolean;
};

type Props<T> = {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  active: string | undefined;
  onOpen: (row: T | undefined) => void;
  onEnd?: (() => void) | undefined;
  foot?: ReactNode;
};

export function Table<T>({ label, columns, rows, keyOf, active, onOpen, onEnd, foot }: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN_ROWS,
    getItemKey: (at) => {
      const row = rows[at];
      return row === undefined ? at : keyOf(row);
    },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && rows.length > 0 && last >= rows.length - AHEAD_ROWS) onEnd();
  }, [last, rows.length, onEnd]);

  const at = rows.findIndex((row) => keyOf(row) === active);
  const move = (to: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (!row) return;
    onOpen(row);
    virtual.scrollToIndex(Math.max(0, Math.min(rows.length - 1, to)), { align: "auto" });
  };
  useKeys((key, event) => {
    if (key === "j" || key === "ArrowDown") {
      event.preventDefault();
      move(at + 1);
    } else if (key === "k" || key === "ArrowUp") {
      event.preventDefault();
      move(at < 0 ? 0 : at - 1);
    } else if (key === "Escape" && active !== undefined) onOpen(undefined);
  });

  const tracks = { gridTemplateColumns: columns.map(({ track }) => track).join(" ") };
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are placed by hand, which a <table> cannot have
    <div role="table" aria-label={label} aria-rowcount={rows.length} className="flex min-h-0 flex-1 flex-col">
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      <div
        role="row"
        tabIndex={-1}
        className="grid gap-4 border-b border-line px-5 py-1.5 text-xs text-ink-3"
        style={tracks}
      >
        {columns.map(({ head, top, right }) => (
          // biome-ignore lint/a11y/useSemanticElements: as above
          <div
            role="columnheader"
            tabIndex={-1}
            key={head}
            className={cx("truncate font-medium", right && "text-right")}
          >
            {top ?? head}
          </div>
        ))}
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto">
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const key = keyOf(row);
            return (
              // biome-ignore lint/a11y/useSemanticElements: as above
              <div
                key={key}
                role="row"
                tabIndex={0}
                aria-rowindex={item.index + 1}
                aria-selected={key === active}
                onClick={() => onOpen(row)}
                onKeyDown={(event) => event.key === "Enter" && onOpen(row)}
                className={cx(
                  "absolute inset-x-0 top-0 grid items-center gap-4 border-b border-line px-5 focus-visible:-outline-offset-2",
                  key === active ? "bg-pick" : "hover:bg-hover",
                )}
                style={{ ...tracks, height: ROW_PX, transform: `translateY(${item.start}px)` }}
              >
                {columns.map(({ head, cell, right, mono }) => (
                  // biome-ignore lint/a11y/useSemanticElements: as above
                  <div role="cell" key={head} className={cx("min-w-0 truncate", right && "text-right", mono && "mono")}>
                    {cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
        {foot && <div className="px-5 py-3 text-ink-3">{foot}</div>}
      </div>
    </div>
  );
}
