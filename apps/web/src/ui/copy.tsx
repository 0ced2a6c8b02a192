"use client";
import { useEffect, useState } from "react";
import { cx } from "./class.ts";

const TOLD_MS = 1500;

export function Copy({ text, label = "Copy", className }: { text: string; label?: string; className?: string }) {
  const [done, setDone] = useState<"no" | "yes" | "failed">("no");
  useEffect(() => {
    if (done === "no") return;
    const timer = setTimeout(() => setDone("no"), TOLD_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setDone("yes"),
      () => setDone("failed"),
    );
  return (
    <button
      type="button"
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
      className={cx("rounded-[4px] px-1 text-xs text-ink-3 hover:bg-hover hover:text-ink", className)}
      aria-live="polite"
    >
      {done === "yes" ? "Copied" : done === "failed" ? "Select it by hand" : label}
    </button>
  );
}

/** A long hash or id: both ends, the whole of it on hover and by the button. */
export function Hash({ text, ends = 6 }: { text: string; ends?: number }) {
  return (
    <span className="mono inline-flex items-baseline gap-1 whitespace-nowrap">
      <span title={text}>{text.length <= 2 * ends + 1 ? text : `${text.slice(0, ends)}…${text.slice(-4)}`}</span>
      <Copy text={text} />
    </span>
  );
}
