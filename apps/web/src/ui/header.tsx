import type { ReactNode } from "react";

export function Header({ title, children }: { title?: ReactNode; children?: ReactNode }) {
  return (
    <header className="sticky top-0 z-20 flex min-h-[49px] shrink-0 flex-wrap items-center gap-2.5 border-b border-line bg-panel px-5 py-2">
      {title && <h1 className="max-w-full min-w-0 truncate">{title}</h1>}
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
