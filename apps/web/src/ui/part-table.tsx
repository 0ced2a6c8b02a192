"use client";
import type { ReactNode } from "react";
import { orderOf, type Sortable, type Sorted, SortHead } from "./sort.tsx";

type Head = string | { head: string; sort: Sortable };

type Props = {
  /** What has none is named "". */
  heads: readonly Head[];
  sorted?: Sorted;
  /** Its rows. */
  children: ReactNode;
};

/** A table that is part of a page, and no list of its own. Where it has no room it is moved sideways. */
export function PartTable({ heads, sorted, children }: Props) {
  return (
    <div className="overflow-x-auto">
      <table className="w-full">
        <thead>
          <tr className="text-left text-xs text-ink-3">
            {heads.map((each) => {
              const { head, sort } = typeof each === "string" ? { head: each } : each;
              return (
                <th
                  key={head}
                  aria-sort={sort && sorted && orderOf(sort, sorted.by)}
                  className="border-b border-line py-1 pr-4 font-medium whitespace-nowrap"
                >
                  {sort && sorted ? <SortHead head={head} sortable={sort} sorted={sorted} /> : head}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
