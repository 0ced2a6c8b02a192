import type { ReactNode } from "react";
import { cx } from "./class.ts";

type Props = { title?: ReactNode; aside?: ReactNode; children: ReactNode; className?: string };

export function Card({ title, aside, children, className }: Props) {
  return (
    <section className={cx("rounded-[9px] border border-line bg-panel px-4 py-3.5 min-w-0", className)}>
      {(title || aside) && (
        <div className="mb-2 flex items-baseline justify-between gap-3">
          <h2>{title}</h2>
          {aside && <div className="text-ink-2 text-right">{aside}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** Facts as pairs: the name dim, the value in the evidence face. */
export function Facts({ rows, names = 104 }: { rows: [string, ReactNode][]; names?: number }) {
  return (
    <dl className="grid gap-x-2.5 gap-y-[3px]" style={{ gridTemplateColumns: `${names}px minmax(0, 1fr)` }}>
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-ink-3">{name}</dt>
          <dd className="mono min-w-0 [overflow-wrap:anywhere]">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
