import type { ReactNode } from "react";
import { cx } from "./class.ts";

/** An empty state teaches: what would be here, and how to get it here. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto grid max-w-[520px] gap-2 px-6 py-14 text-center text-ink-2">
      <p className="font-medium text-ink">{title}</p>
      {children}
    </div>
  );
}

/** Said only when it takes long enough to wonder: what comes at once does not flicker. */
export function Waiting({ inside = false }: { inside?: boolean }) {
  return (
    <p className={cx("late text-ink-3", !inside && "px-5 py-4")} role="status">
      Loading…
    </p>
  );
}

/** A failure says what happened; asking again is one key away. */
export function Fault({ message, again }: { message: string; again?: () => void }) {
  return (
    <div role="alert" className="m-5 rounded-[8px] border border-line bg-panel px-4 py-3">
      <p>
        <span className="text-block">■ </span>
        {message}
      </p>
      {again && (
        <button type="button" className="mt-1 underline" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

type Asked = { isError: boolean; isPending: boolean; error: { message: string } | null; refetch: () => unknown };

/** A list that was asked for: what went wrong, that it is on its way, what is said where it has no rows, or the list itself. */
export function Listed(props: { asked: Asked; isEmpty: boolean; empty: ReactNode; children: ReactNode }) {
  const { asked, isEmpty, empty, children } = props;
  if (asked.isError) return <Fault message={asked.error?.message ?? ""} again={() => void asked.refetch()} />;
  if (asked.isPending) return <Waiting />;
  return isEmpty ? empty : children;
}
