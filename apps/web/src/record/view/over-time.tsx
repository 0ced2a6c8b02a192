"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** How many records match, over time: a click on a bar, or a drag over several, narrows the time to them; the keyboard does
 *  the same. Counted by the server within a bound: where it stopped is shown. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type PointerEvent, useId, useState } from "react";
import { ALONE, useApi } from "../../trpc/client.tsx";
import { cx } from "../../ui/class.ts";
import { exact, moment, span, tick, ticks } from "../../ui/time.tsx";
import { narrowed } from "../bars.ts";
import type { Filter } from "../filter.ts";
import type { Histogram } from "../histogram.ts";

/** In parts of the plot's height: one record beside a thousand is still seen. */
const HEIGHT = 100;
const HEIGHT_LEAST = 5;
const LABELS = 5;
/** Of what lies between two of them, how much one fills: the last is said only where it is not cut off. */
const LABEL_SHARE = 0.67;
const JUMP_BARS = 10;
const STALE_MS = 30_000;

type Range = { since: string; until: string };
type Props = { filter: Filter; onNarrow: (range: Range) => void };

export function OverTime({ filter, onNarrow }: Props) {
  const api = useApi();
  const found = useQuery({
    ...api.record.histogram.queryOptions({ filter }, ALONE),
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
    refetchOnWindowFocus: false,
  });
  return (
    <section aria-label="Over time" className="h-[92px] shrink-0 border-b border-line px-5 pt-2">
      {found.isError ? (
        <p className="text-ink-2">
          ◐ Not counted over time: {found.error.message}{" "}
          <button type="button" className="underline" onClick={() => void found.refetch()}>
            Try again
          </button>
        </p>
      ) : found.data ? (
        <Chart histogram={found.data} isStale={found.isPlaceholderData} range={filter} onNarrow={onNarrow} />
      ) : (
        <p className="late text-xs text-ink-3" role="status">
          Counting…
        </p>
      )}
    </section>
  );
}

/** From where it began to where it is now; the same bar where nothing was dragged over. */
type Span = { anchor: number; at: number };

type ChartProps = {
  histogram: Histogram;
  isStale: boolean;
  range: Pick<Filter, "since" | "until">;
  onNarrow: (range: Range) => void;
};

function Chart({ histogram, isStale, range, onNarrow }: ChartProps) {
  const { counts, stepMs, countedFrom } = histogram;
  const fromMs = Date.parse(histogram.from);
  const hint = useId();
  const [picked, setPicked] = useState<Span>();
  const [isDragging, setDragging] = useState(false);
  const total = counts.reduce((sum, each) => sum + each, 0);
  const most = Math.max(1, ...counts);
  const last = counts.length - 1;
  /** As many bars from one label to the next. */
  const every = Math.ceil(counts.length / LABELS);
  const momentOf = (bar: number) => fromMs + bar * stepMs;
  const [low, high] = picked ? [Math.min(picked.anchor, picked.at), Math.max(picked.anchor, picked.at)] : [-1, -1];
  const words = (from: number, to: number): string => {
    const records = counts.slice(from, to + 1).reduce((sum, each) => sum + each, 0);
    const isPart = countedFrom !== null && momentOf(from) < Date.parse(countedFrom);
    return `${ticks(momentOf(from), momentOf(to + 1), stepMs)}: ${isPart ? "not all counted, at least " : ""}${plural(records, "record")}`;
  };
  const barUnder = (event: PointerEvent<HTMLElement>): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(last, Math.floor(((event.clientX - left) / width) * counts.length)));
  };
  const narrow = () => {
    if (!picked || isStale) return;
    setPicked(undefined); // those that come are others
    onNarrow(narrowed(range, momentOf(low), momentOf(high + 1)));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const now = picked?.at ?? last;
    const to = {
      ...{ ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last },
      ...{ PageUp: now - JUMP_BARS, PageDown: now + JUMP_BARS },
    }[event.key];
    if (to !== undefined) {
      const at = Math.max(0, Math.min(last, to));
      setPicked({ anchor: event.shiftKey ? (picked?.anchor ?? at) : at, at });
    } else if (event.key === "Enter" || event.key === " ") narrow();
    else if (event.key === "Escape" && picked) setPicked(undefined);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <p className="flex gap-3 text-xs whitespace-nowrap text-ink-3">
        <span className="shrink-0">
          <b className="font-medium text-ink tabular-nums">
            {countedFrom !== null && "at least "}
            {plural(total, "record")}
          </b>
          , {span(stepMs) === "0 s" ? `${stepMs} ms` : span(stepMs)} a bar
        </span>
        {countedFrom !== null && (
          <span className="min-w-0 truncate text-hold" title={exact(countedFrom)}>
            ◐ counted back to {moment(countedFrom)}; narrow the time or the query for the rest
          </span>
        )}
        <span className="ml-auto max-w-[65%] shrink-0 truncate text-ink-2 tabular-nums" aria-hidden>
          {picked ? words(low, high) : `most in a bar ${count(most)}`}
        </span>
      </p>
      <div
        role="slider"
        tabIndex={0}
        aria-label="Records over time"
        title="Click a bar, or drag over several, to narrow the time"
        aria-describedby={hint}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={picked?.at ?? last}
        aria-valuetext={picked ? words(low, high) : words(last, last)}
        onKeyDown={onKeyDown}
        onFocus={(event) => {
          if (event.target.matches(":focus-visible")) setPicked((before) => before ?? { anchor: last, at: last });
        }}
        onBlur={() => setPicked(undefined)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = barUnder(event);
          setDragging(true);
          setPicked({ anchor: at, at });
        }}
        onPointerMove={(event) => {
          const at = barUnder(event);
          setPicked((before) => ({ anchor: isDragging && before ? before.anchor : at, at }));
        }}
        onPointerUp={() => {
          if (isDragging) narrow();
          setDragging(false);
        }}
        onPointerCancel={() => setDragging(false)}
        onPointerLeave={() => !isDragging && setPicked(undefined)}
        className={cx("relative mt-1 h-[42px] cursor-crosshair touch-none", isStale && "opacity-50")}
      >
        <svg
          viewBox={`0 0 ${counts.length} ${HEIGHT}`}
          preserveAspectRatio="none"
          className="absolute inset-0 size-full border-b border-line-strong"
          aria-hidden
        >
          {countedFrom !== null && (
            <rect
              width={Math.max(0, (Date.parse(countedFrom) - fromMs) / stepMs)}
              height={HEIGHT}
              className="fill-hold-bg"
            />
          )}
          {picked && <rect x={low} width={high - low + 1} height={HEIGHT} className="fill-pick" />}
          {counts.map((records, bar) => {
            const height = records === 0 ? 0 : Math.max(HEIGHT_LEAST, (records / most) * HEIGHT);
            return (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place in time
                key={bar}
                data-records={records}
                x={bar + 0.1}
                y={HEIGHT - height}
                width={0.8}
                height={height}
                className={bar >= low && bar <= high ? "fill-ink" : "fill-ink-3"}
              />
            );
          })}
        </svg>
      </div>
      <div className="relative h-4 overflow-hidden text-[11px] leading-4 whitespace-nowrap text-ink-3" aria-hidden>
        {counts.map(
          (_, bar) =>
            bar % every === 0 &&
            bar + every * LABEL_SHARE <= counts.length && (
              // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place in time
              <span key={bar} className="absolute" style={{ left: `${(bar / counts.length) * 100}%` }}>
                {tick(momentOf(bar), stepMs)}
              </span>
            ),
        )}
      </div>
      <p id={hint} className="sr-only">
        Arrow keys move over the bars, with Shift they add to them, and Enter narrows the time to what is chosen.
      </p>
    </>
  );
}
