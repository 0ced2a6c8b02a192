"use client";
/** The order of a list as one word: `spool` ascending, `-spool` descending. It stands in the address; the server sorts. */
import { cx } from "./class.ts";

export type Sorted = { by: string; onSort: (by: string) => void };
/** `down`: the largest first at the first click. */
export type Sortable = { word: string; down?: boolean };

export function orderOf({ word }: Sortable, by: string): "ascending" | "descending" | "none" {
  return by === word ? "ascending" : by === `-${word}` ? "descending" : "none";
}

/** The head of a column by which a list can be sorted; its cell says `aria-sort`. */
export function SortHead({ head, sortable, sorted }: { head: string; sortable: Sortable; sorted: Sorted }) {
  const { word, down = false } = sortable;
  const order = orderOf(sortable, sorted.by);
  const isDown = order === "none" ? down : order === "ascending";
  return (
    <button
      type="button"
      onClick={() => sorted.onSort(isDown ? `-${word}` : word)}
      className={cx(
        "-mx-1 rounded-[4px] px-1 font-medium whitespace-nowrap hover:bg-hover hover:text-ink",
        order !== "none" && "text-ink",
      )}
    >
      {head}
      {order !== "none" && <span aria-hidden>{order === "ascending" ? " ↑" : " ↓"}</span>}
    </button>
  );
}
