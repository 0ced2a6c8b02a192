"use client";
/** A query as removable chips, with one field to add another. */
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { cx } from "./class.ts";
import { Key } from "./header.tsx";

export type ChipView = { key: string; name: string; value: ReactNode; not: boolean; onRemove: () => void };

type Props = {
  chips: ChipView[];
  placeholder: string;
  onAdd: (word: string) => Promise<string | undefined>;
  onType?: (word: string) => void;
  suggestions?: string[];
};

/** `onAdd` answers a fault to show, or nothing once the word was taken. */
export function QueryBar({ chips, placeholder, onAdd, onType, suggestions = [] }: Props) {
  const [word, setWord] = useState("");
  const [fault, setFault] = useState<string>();
  const type = (next: string) => {
    setWord(next);
    onType?.(next);
  };
  const add = async () => {
    const asked = word;
    const wrong = await onAdd(asked).catch((error: Error) => error.message);
    setFault(wrong);
    if (!wrong) setWord((now) => (now === asked ? "" : now));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Escape") event.currentTarget.blur();
    if (event.key === "Backspace" && word === "") chips.at(-1)?.onRemove();
    if (event.key !== "Enter" || word.trim() === "") return;
    void add();
  };
  return (
    <div className="relative min-w-0 flex-1">
      <div className="flex min-h-[31px] flex-wrap items-center gap-1.5 rounded-[8px] border border-line-strong bg-panel px-2 py-[3px] focus-within:outline-2 focus-within:outline-focus">
        {chips.map(({ key, name, value, not, onRemove }) => (
          <span
            key={key}
            className={cx(
              "inline-flex max-w-[260px] items-baseline rounded-[5px] border border-line bg-sunk pl-1.5 font-mono text-sm whitespace-nowrap",
              not && "line-through decoration-ink-3",
            )}
          >
            <i className="text-ink-3 not-italic">{name}</i>
            <span className="truncate">{value}</span>
            <button
              type="button"
              onClick={onRemove}
              aria-label={`Remove ${name}`}
              className="px-1 text-ink-3 hover:text-ink"
            >
              ×
            </button>
          </span>
        ))}
        <input
          data-search
          value={word}
          onChange={(event) => {
            type(event.target.value);
            setFault(undefined);
          }}
          onKeyDown={onKeyDown}
          placeholder={chips.length === 0 ? placeholder : ""}
          aria-label="Add to the query"
          aria-invalid={fault !== undefined}
          list="query-suggestions"
          spellCheck={false}
          autoComplete="off"
          className="mono min-w-[80px] flex-1 bg-transparent outline-none"
        />
        <datalist id="query-suggestions">
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <Key>/</Key>
      </div>
      {fault && (
        <p
          role="alert"
          className="absolute top-full left-0 z-30 mt-1 rounded-[6px] border border-line bg-panel px-2 py-1 text-xs"
        >
          <span className="text-block">■ </span>
          {fault}
        </p>
      )}
    </div>
  );
}
