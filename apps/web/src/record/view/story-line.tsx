"use client";
/** What every line of a story has: why it belongs there, its text as a link, and what proves it when asked. */
import Link from "next/link";
import type { ReactNode } from "react";
import { cx } from "../../ui/class.ts";
import { TIES } from "../links.ts";
import type { RecordRow } from "../store.ts";
import type { Chapter } from "../story.ts";
import { addressOf } from "./story-address.ts";

/** Which lines are to be proved in this browser: each costs a proof and two round trips, so they are asked for. */
export type Proving = { asked: (row: RecordRow) => boolean; ask: (row: RecordRow) => void };
export type OnOpen = (row: RecordRow) => void;

export function Ties({ row }: { row: Chapter }) {
  if (row.ties.length === 0) return null;
  return (
    <span className="shrink-0 rounded-[4px] border border-line px-1 text-[11px] text-ink-2">
      {row.ties.map((tie) => TIES[tie]).join(", ")}
    </span>
  );
}

/** A click opens it here; the address opens it anywhere. */
export function Open({
  row,
  onOpen,
  dim,
  children,
}: {
  row: RecordRow;
  onOpen: OnOpen;
  dim: boolean;
  children: ReactNode;
}) {
  return (
    <Link
      href={addressOf(row)}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        onOpen(row);
      }}
      className={cx("line-clamp-2 hover:underline [overflow-wrap:anywhere]", dim && "text-ink-2")}
    >
      {children}
    </Link>
  );
}
