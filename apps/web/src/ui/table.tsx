"use client";
/** Rows by the ten thousand: only what is in sight is in the page. A row opens beside the list, or leads to a page of its
 *  own and is a link then; j, k, Enter and Esc move over both, and only Enter and a click leave the page. */
import { useVirtualizer } from "@tanstack/react-virtual";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { type MouseEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { cx } from "./class.ts";
import { DETAILS, useKeys } from "./keys.tsx";
import { orderOf, type Sortable, type Sorted, SortHead } from "./sort.tsx";

const ROW_PX = 29;
const OVERSCAN_ROWS = 12;
/** How near the end the next page is asked for. */
const AHEAD_ROWS = 20;
/** Where the columns have no room the list is moved sideways: none is cut off, and what may shrink keeps so much. */
const SHRUNK_PX = 130;
const GAP_PX = 16;
const SIDES_PX = 40;

export type Column<T> = {
  head: string;
  /** What stands in its place, where that is no word. */
  top?: ReactNode;
  sort?: Sortable;
  /** A grid track: `120px`, `minmax(0, 1fr)`. */
  track: string;
  cell: (row: T) => ReactNode;
  right?: boolean;
  mono?: boolean;
  /** What is the link, where rows lead somewhere. */
  leads?: boolean;
};

/** A row is shown beside the list … */
type Opens<T> = { active: string | undefined; onOpen: (row: T | undefined) => void; hrefOf?: undefined };
/** … or has a page of its own. */
type Leads<T> = { hrefOf: (row: T) => string; active?: undefined; onOpen?: undefined };

type Props<T> = {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  onEnd?: (() => void) | undefined;
  foot?: ReactNode;
  sorted?: Sorted;
} & (Opens<T> | Leads<T>);

export function Table<T>({ label, columns, rows, keyOf, onEnd, foot, sorted, ...does }: Props<T>) {
  const root = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const router = useRouter();
  const [cursor, setCursor] = useState<string>();
  const active = does.hrefOf ? cursor : does.active;
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
    if (does.hrefOf) setCursor(keyOf(row));
    else does.onOpen(row);
    virtual.scrollToIndex(Math.max(0, Math.min(rows.length - 1, to)), { align: "auto" });
  };
  useEffect(() => {
    // from here Enter follows it and Tab goes on
    if (cursor !== undefined) scroller.current?.querySelector<HTMLElement>('[aria-current="true"]')?.focus();
  }, [cursor]);
  const isShown = useRef(false);
  useEffect(() => {
    // an address may name a row far down
    if (at < 0 || isShown.current) return;
    isShown.current = true;
    virtual.scrollToIndex(at, { align: "auto" });
  }, [at, virtual]);
  const by = sorted?.by;
  const shownBy = useRef(by);
  useEffect(() => {
    if (shownBy.current === by) return;
    shownBy.current = by;
    scroller.current?.scrollTo({ top: 0 }); // another list, from its beginning
  }, [by]);
  const close = () => (does.hrefOf ? setCursor(undefined) : does.onOpen(undefined));
  const follow = (row: T) => (does.hrefOf ? router.push(does.hrefOf(row)) : does.onOpen(row));
  const onClick = (event: MouseEvent, row: T) => {
    const target = event.target as Element;
    if (target.closest("a, button, input, label") || isSelecting(event.currentTarget)) return;
    if (does.hrefOf && (event.metaKey || event.ctrlKey || event.shiftKey || event.button === 1))
      window.open(does.hrefOf(row), "_blank", "noopener");
    else if (event.button === 0) follow(row);
  };
  /** Elsewhere, as beside the list, arrows scroll. */
  const isHere = ({ target }: KeyboardEvent) =>
    target === document.body || (root.current?.contains(target as Node) ?? false);
  /** On the row that is open beside the list already. */
  const isOn = ({ target }: KeyboardEvent) =>
    does.hrefOf === undefined &&
    active !== undefined &&
    (target === document.body || (target as Element).getAttribute("aria-current") === "true");
  useKeys((key, event) => {
    if (key.startsWith("Arrow") && !isHere(event)) return;
    if (key === "j" || key === "ArrowDown") {
      event.preventDefault();
      move(at + 1);
    } else if (key === "k" || key === "ArrowUp") {
      event.preventDefault();
      move(at < 0 ? 0 : at - 1);
    } else if (key === "Enter" && isOn(event)) document.querySelector<HTMLElement>(DETAILS)?.focus();
    else if (key === "Escape" && active !== undefined) close();
  });

  const wide = columns.map(({ track }) => track.replace("minmax(0,", `minmax(${SHRUNK_PX}px,`));
  const tracks = { gridTemplateColumns: wide.join(" ") };
  const minWidth = wide.reduce(
    (sum, track) => sum + Number.parseInt(/\d+/.exec(track)?.[0] ?? "0", 10) + GAP_PX,
    SIDES_PX,
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are placed by hand, which a <table> cannot have
    <div
      ref={root}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      className="flex min-h-0 flex-1 flex-col overflow-x-auto"
    >
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      <div
        role="row"
        aria-rowindex={1}
        tabIndex={-1}
        className="grid shrink-0 items-center gap-4 border-b border-line px-5 py-1.5 text-xs text-ink-3"
        style={{ ...tracks, minWidth }}
      >
        {columns.map(({ head, top, right, sort }) => (
          // biome-ignore lint/a11y/useSemanticElements: as above
          <div
            role="columnheader"
            tabIndex={-1}
            key={head}
            aria-sort={sort && by !== undefined ? orderOf(sort, by) : undefined}
            // a ring around what can be pressed has room
            className={cx("font-medium", !(sort && sorted) && "truncate", right && "text-right")}
          >
            {top ?? (sort && sorted ? <SortHead head={head} sortable={sort} sorted={sorted} /> : head)}
          </div>
        ))}
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto" style={{ minWidth }}>
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
                aria-rowindex={item.index + 2}
                aria-current={key === active ? "true" : undefined}
                onClick={(event) => onClick(event, row)}
                onAuxClick={(event) => onClick(event, row)}
                onKeyDown={(event) => event.key === "Enter" && event.target === event.currentTarget && follow(row)}
                onFocus={(event) => does.hrefOf && event.target === event.currentTarget && setCursor(key)}
                className={cx(
                  "absolute inset-x-0 top-0 grid items-center gap-4 border-b border-line px-5 focus-visible:-outline-offset-2",
                  key === active ? "bg-pick" : "hover:bg-hover",
                )}
                style={{ ...tracks, height: ROW_PX, transform: `translateY(${item.start}px)` }}
              >
                {columns.map(({ head, cell, right, mono, leads }) => (
                  // biome-ignore lint/a11y/useSemanticElements: as above
                  <div
                    role="cell"
                    key={head}
                    onMouseEnter={sayWhole}
                    className={cx("min-w-0 truncate", right && "text-right", mono && "mono")}
                  >
                    {leads && does.hrefOf ? (
                      <Link href={does.hrefOf(row)} tabIndex={-1} prefetch={false} className="hover:underline">
                        {cell(row)}
                      </Link>
                    ) : (
                      cell(row)
                    )}
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

/** What has no room is said whole to who points at it. */
function sayWhole({ currentTarget: cell }: MouseEvent<HTMLElement>): void {
  cell.title = cell.scrollWidth > cell.clientWidth ? (cell.textContent ?? "") : "";
}

/** Whoever marks a text in a row to copy it does not open the row. */
function isSelecting(row: Element): boolean {
  const selection = window.getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(row, true);
}
