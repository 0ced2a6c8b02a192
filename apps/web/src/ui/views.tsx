"use client";

type Props<T extends string> = {
  /** What the views differ by. */
  label: string;
  /** Value and word. */
  views: readonly (readonly [T, string])[];
  value: T;
  onChoose: (value: T) => void;
};

/** Views of one list, of which one is shown: in a page's head. */
export function Views<T extends string>({ label, views, value, onChoose }: Props<T>) {
  return (
    <fieldset className="ml-3 flex gap-1">
      <legend className="sr-only">{label}</legend>
      {views.map(([each, word]) => (
        <button
          key={each}
          type="button"
          aria-pressed={value === each}
          onClick={() => onChoose(each)}
          className="rounded-[6px] px-2 py-1 text-ink-2 hover:bg-hover aria-pressed:bg-pick aria-pressed:font-medium aria-pressed:text-ink"
        >
          {word}
        </button>
      ))}
    </fieldset>
  );
}
