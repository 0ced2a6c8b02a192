"use client";
/** Values to click instead of typing; what is chosen is a chip above. */
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { Fragment, type ReactNode } from "react";
import { cx } from "../../ui/class.ts";
import { adding, type Field, type Filter, without } from "../filter.ts";

type Props = {
  filter: Filter;
  onChange: (filter: Filter) => void;
  choices: { kinds: string[]; guests: string[] } | undefined;
  narrow: boolean;
};

export function Facets({ filter, onChange, choices, narrow }: Props) {
  const option = (field: Field, value: string, shown: ReactNode = value, inner = false) => {
    const found: unknown = filter[field];
    const on = Array.isArray(found) ? found.includes(value) : found === value;
    const next = on ? without(filter, { field, value, not: false }) : adding(filter, field, value);
    return (
      <button
        key={value}
        type="button"
        aria-pressed={on}
        aria-label={value}
        title={value}
        onClick={() => onChange(next)}
        className={cx(
          "block w-full truncate rounded-[4px] px-1.5 py-px text-left hover:bg-hover",
          inner && "pl-4",
          on ? "bg-pick font-medium text-ink" : "text-ink-2",
        )}
      >
        {shown}
      </button>
    );
  };
  return (
    <aside
      aria-label="Filters"
      className={cx(
        "w-[156px] shrink-0 overflow-auto border-r border-line py-3.5 pr-2 pl-3.5",
        narrow && "hidden 2xl:block",
      )}
    >
      <Group title="Severity, at least">{[...SEVERITIES].reverse().map((each) => option("severity", each))}</Group>
      {choices && choices.kinds.length > 0 && (
        <Group title="Kind, seen lately">
          {nouns(choices.kinds).map(({ noun, kinds }) =>
            kinds.length === 1 ? (
              kinds.map((each) => option("kind", each, <span className="mono">{each}</span>))
            ) : (
              <Fragment key={noun}>
                {option("kind", `${noun}.*`, <span className="mono">{noun}.*</span>)}
                {kinds.map((each) =>
                  option("kind", each, <span className="mono">{each.slice(noun.length + 1)}</span>, true),
                )}
              </Fragment>
            ),
          )}
        </Group>
      )}
      {choices && choices.guests.length > 0 && (
        <Group title="Guest, seen lately">
          {choices.guests.map((each) => option("guest", each, <span className="mono">{each}</span>))}
        </Group>
      )}
    </aside>
  );
}

/** Kinds by their noun, as both are sorted: beside the longest of them there is no room for the noun again. */
function nouns(kinds: readonly string[]): { noun: string; kinds: string[] }[] {
  const found = Map.groupBy(kinds, (kind) => kind.slice(0, kind.indexOf(".")));
  return [...found].map(([noun, of]) => ({ noun, kinds: of }));
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="mb-4">
      <h2 className="mb-1 px-1.5">{title}</h2>
      {children}
    </section>
  );
}
