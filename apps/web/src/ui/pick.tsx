/** A choice in a page's head, or at the head of a column, that narrows the list below it; the first of its options takes it
 *  back. */
import { cx } from "./class.ts";

type Props = {
  label: string;
  /** What is said while nothing is chosen: "Every group". */
  all: string;
  value: string;
  /** Value and word. */
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
  className?: string;
  /** At the head of a column: no box of its own. */
  head?: boolean;
};

export function Pick({ label, all, value, options, onChange, className, head = false }: Props) {
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className={cx(
        head
          ? "-ml-1 max-w-full cursor-pointer truncate rounded-[4px] bg-transparent font-medium hover:text-ink"
          : "max-w-[200px] rounded-[6px] border bg-panel px-2 py-1 pr-6",
        head ? value !== "" && "text-ink" : value === "" ? "border-line-strong text-ink-2" : "border-ink font-medium",
        className,
      )}
    >
      <option value="">{value !== "" && head ? `${all}: every` : all}</option>
      {value !== "" && !options.some(([each]) => each === value) && <option value={value}>{value.slice(0, 8)}</option>}
      {options.map(([each, word]) => (
        <option key={each} value={each}>
          {word}
        </option>
      ))}
    </select>
  );
}
