import Link from "next/link";
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { cx } from "./class.ts";

export type Look = "plain" | "main" | "danger" | "bare";

const LOOK: Record<Look, string> = {
  plain: "border border-line-strong bg-panel text-ink hover:bg-hover",
  main: "border border-ink bg-ink text-bg hover:opacity-85",
  danger: "border border-block bg-panel text-block hover:bg-block-bg",
  bare: "border border-transparent text-ink-2 hover:bg-hover hover:text-ink",
};
const SHAPE =
  "inline-flex items-center justify-center gap-1.5 rounded-[6px] px-2.5 py-1 whitespace-nowrap disabled:opacity-45 disabled:pointer-events-none";

type Props = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look };

export function Button({ look = "plain", className, type = "button", ...rest }: Props) {
  return <button type={type} className={cx(SHAPE, LOOK[look], className)} {...rest} />;
}

export function ButtonLink({ href, look = "plain", children }: { href: string; look?: Look; children: ReactNode }) {
  return (
    <Link href={href} className={cx(SHAPE, LOOK[look])}>
      {children}
    </Link>
  );
}
