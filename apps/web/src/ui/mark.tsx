/** A verdict or a severity: a shape and a word beside the colour, never colour alone. */
import type { ReactNode } from "react";
import { cx } from "./class.ts";

export type Tone = "allow" | "hold" | "block" | "info";

const SHAPE: Record<Tone, string> = { allow: "●", hold: "◐", block: "■", info: "–" };
const COLOUR: Record<Tone, string> = {
  allow: "text-allow bg-allow-bg",
  hold: "text-hold bg-hold-bg",
  block: "text-block bg-block-bg",
  info: "text-info bg-info-bg",
};

export function Mark({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return (
    <span
      title={title}
      className={cx(
        "inline-flex items-baseline gap-[5px] justify-self-start rounded-[4px] px-1.5 font-mono text-xs font-medium leading-[1.55] whitespace-nowrap",
        COLOUR[tone],
      )}
    >
      <span aria-hidden className="text-[10px] leading-none self-center">
        {SHAPE[tone]}
      </span>
      <span>{children}</span>
    </span>
  );
}

/** For the many rows that are nothing special: as wide as a mark, with no ground, so that the others stand out. */
export function Quiet({ children }: { children: ReactNode }) {
  return <span className="inline-block pl-1.5 font-mono text-xs leading-[1.55] text-ink-3">{children}</span>;
}

/** A smaller mark without a ground, for dense rows. */
export function Dot({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span
      className={cx(
        "inline-flex items-baseline gap-1.5 self-start justify-self-start whitespace-nowrap",
        COLOUR[tone].split(" ")[0],
      )}
    >
      <span aria-hidden className="text-[10px] self-center">
        {SHAPE[tone]}
      </span>
      <span>{children}</span>
    </span>
  );
}
