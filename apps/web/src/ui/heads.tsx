"use client";
import { orderOf, type Sortable, type Sorted, SortHead } from "./sort.tsx";

type Head = string | { head: string; sort: Sortable };

/** The heads of a table that is part of a page, and not a list of its own. What has none is named "". */
export function Heads({ heads, sorted }: { heads: readonly Head[]; sorted?: Sorted }) {
  return (
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
  );
}
