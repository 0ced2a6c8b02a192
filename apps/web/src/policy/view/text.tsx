"use client";
/** The policy as text, with the lines that are wrong marked in the gutter. */
import type { Fault } from "@sallyport/shared/policy/document.ts";
import { type Ref, useImperativeHandle, useRef } from "react";
import { cx } from "../../ui/class.ts";

const LINE_PX = 18;
const PADDING_PX = 16;
/** Beside a form that wants some room. */
const ROWS_MIN = 26;
const ROWS_MAX = 32;

/** Of a text of so many lines, and of the form beside it. */
export const heightOf = (lines: number): number =>
  Math.min(ROWS_MAX, Math.max(ROWS_MIN, lines + 1)) * LINE_PX + PADDING_PX;

export type TextPlace = { goTo: (fault: Fault) => void };
type Props = {
  text: string;
  faults: readonly Fault[];
  isReadOnly: boolean;
  onChange: (text: string) => void;
  place: Ref<TextPlace>;
};

export function PolicyText({ text, faults, isReadOnly, onChange, place }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const wrong = new Map(faults.map(({ line, message }) => [line, message]));
  const lines = text.split("\n").length;
  const height = heightOf(lines);
  useImperativeHandle(place, () => ({
    goTo: ({ line, column }) => {
      const before = text.split("\n").slice(0, line - 1);
      const at = before.join("\n").length + (line > 1 ? 1 : 0) + column - 1;
      area.current?.focus();
      area.current?.setSelectionRange(at, at);
    },
  }));
  return (
    <div className="flex overflow-hidden rounded-[8px] border border-line-strong bg-sunk focus-within:outline-2 focus-within:outline-focus">
      <div
        ref={gutter}
        aria-hidden
        className="mono overflow-hidden border-r border-line py-2 text-right text-ink-3 select-none"
        style={{ height, lineHeight: `${LINE_PX}px` }}
      >
        {Array.from({ length: lines }, (_, at) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
            key={at}
            title={wrong.get(at + 1)}
            className={cx("pr-2 pl-3", wrong.has(at + 1) && "bg-block-bg text-block")}
          >
            {wrong.has(at + 1) ? "■ " : ""}
            {at + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={area}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
        readOnly={isReadOnly}
        spellCheck={false}
        wrap="off"
        aria-label="Policy text"
        aria-invalid={faults.length > 0}
        className="mono min-w-0 flex-1 resize-none bg-transparent px-3 py-2 outline-none"
        style={{ height, lineHeight: `${LINE_PX}px` }}
      />
    </div>
  );
}
