import type { ReactNode } from "react";

/** That a list is narrowed, and to what; and taking that back. */
export function Narrowed({
  by,
  all,
  onAll,
  children,
}: {
  by: string;
  all: string;
  onAll: () => void;
  children: ReactNode;
}) {
  return (
    <span className="inline-flex max-w-[260px] items-baseline rounded-[6px] border border-ink bg-panel px-2 py-1">
      <span className="text-ink-3">{by}&nbsp;</span>
      <span className="truncate">{children}</span>
      <button type="button" aria-label={all} title={all} onClick={onAll} className="pl-2 text-ink-3 hover:text-ink">
        ×
      </button>
    </span>
  );
}
