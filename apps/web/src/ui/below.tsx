import type { ReactNode } from "react";

type Props = { acts?: ReactNode; onClose: () => void; children: ReactNode };

/** What is known of the open row of a list, under it, and what can be done about it. */
export function Below({ acts, onClose, children }: Props) {
  return (
    <section
      aria-label="Details"
      data-details
      tabIndex={-1}
      className="focus-visible:-outline-offset-2 flex max-h-[45vh] shrink-0 flex-wrap items-start gap-4 overflow-auto border-t border-line bg-panel px-5 py-3"
    >
      <div className="min-w-[280px] flex-1">{children}</div>
      <div className="flex flex-wrap items-baseline gap-2">
        {acts}
        <button type="button" onClick={onClose} aria-label="Close" className="px-1 text-ink-3 hover:text-ink">
          ×
        </button>
      </div>
    </section>
  );
}
