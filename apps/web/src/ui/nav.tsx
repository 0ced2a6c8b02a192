"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { cx } from "./class.ts";

export type NavItem = { href: string; word: string; count?: ReactNode };

export function Nav({ items, children }: { items: NavItem[]; children: ReactNode }) {
  const path = usePathname();
  const here = (href: string) => (href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`));
  return (
    <nav
      aria-label="Main"
      className="sticky top-0 flex h-screen w-[196px] max-[900px]:w-[148px] shrink-0 flex-col gap-0.5 border-r border-line bg-sunk px-2.5 py-3.5"
    >
      <Link href="/" className="flex items-center gap-[9px] px-2 pt-1 pb-3.5 font-semibold tracking-[-0.01em]">
        <svg width="18" height="18" viewBox="0 0 18 18" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden>
          <path d="M2.5 16V2.5h13V16" />
          <path d="M6 16V6.5M12 16V6.5" />
        </svg>
        Sallyport
      </Link>
      {items.map(({ href, word, count }) => (
        <Link
          key={href}
          href={href}
          aria-current={here(href) ? "page" : undefined}
          className={cx(
            "flex items-baseline justify-between rounded-[6px] px-2 py-[5px]",
            here(href) ? "bg-pick font-medium text-ink" : "text-ink-2 hover:bg-hover hover:text-ink",
          )}
        >
          {word}
          <span className="font-mono text-[11px] font-normal text-ink-3">{count}</span>
        </Link>
      ))}
      <div className="mt-auto px-2 text-xs leading-[1.7] text-ink-3">{children}</div>
    </nav>
  );
}
