/** Text that a guest, a stick or a stranger wrote: what could move a cursor or turn a line around is shown, not obeyed. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { ReactNode } from "react";

const ESCAPE = /(\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}|\\u[0-9a-f]{4}|\\[nrt])/;

export function Untrusted({ text }: { text: string }) {
  const shown = escapeForDisplay(text);
  if (shown === text) return <bdi>{text}</bdi>;
  const parts: ReactNode[] = shown.split(ESCAPE).map((part, at) =>
    at % 2 === 1 ? (
      <span
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text never move
        key={at}
        className="rounded-[3px] bg-info-bg px-0.5 text-info"
        title="a control character, shown as its escape"
      >
        {part}
      </span>
    ) : (
      part
    ),
  );
  return <bdi>{parts}</bdi>;
}
