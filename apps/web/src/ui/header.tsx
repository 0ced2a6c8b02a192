import type { ReactNode } from "react";
import { cx } from "./class.ts";

type Props = {
  title?: ReactNode;
  /** What the page is for, in a line; what can be done on it stands at the other end then. */
  about?: ReactNode;
  children?: ReactNode;
};

export function Header({ title, about, children }: Props) {
  return (
    <header className="sticky top-0 z-20 flex min-h-[49px] shrink-0 flex-wrap items-center gap-2.5 border-b border-line bg-panel px-5 py-2">
      {title && <h1 className={cx("max-w-full min-w-0 truncate", about ? "mr-3" : false)}>{title}</h1>}
      {about && (
        <>
          <span className="text-ink-2">{about}</span>
          <Grow />
        </>
      )}
      {children}
    </header>
  );
}

export const Grow = () => <span className="flex-1" />;

export function Key({ children }: { children: ReactNode }) {
  return (
    <kbd className="rounded-[4px] border border-b-2 border-line px-1 font-mono text-[11px] text-ink-3">{children}</kbd>
  );
}
