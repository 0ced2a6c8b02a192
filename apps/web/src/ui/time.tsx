"use client";
/** Times: relative with the exact one, zone named, on hover. All tick together once a second while they are young. */
import { useSyncExternalStore } from "react";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, SECOND);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export const useNow = (): number =>
  useSyncExternalStore(
    subscribe,
    () => now,
    () => now,
  );

/** "12 s", "4 min", "3 h", "9 d": how long, rounded down. */
export function span(ms: number): string {
  const size = Math.abs(ms);
  if (size < MINUTE) return `${Math.floor(size / SECOND)} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${Math.floor(size / HOUR)} h`;
  return `${Math.floor(size / DAY)} d`;
}

/** How long it is until then, to the nearest: what was made for a day a moment ago has 24 h, not 23. */
export function spanAhead(ms: number): string {
  const step = ms < MINUTE ? SECOND : ms < HOUR ? MINUTE : ms < 2 * DAY ? HOUR : DAY;
  return span(Math.round(ms / step) * step);
}

const EXACT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  timeZoneName: "short",
});

/** The moment to the millisecond, in the browser's zone, which is named. */
export const exact = (iso: string): string => EXACT.format(new Date(iso));

const isThisYear = (date: Date | number): boolean => new Date(date).getFullYear() === new Date().getFullYear();

/** In two kinds: of this year, and of another, which is named. */
function dated(options: Intl.DateTimeFormatOptions): (date: Date | number) => Intl.DateTimeFormat {
  const [here, elsewhere] = [options, { ...options, year: "numeric" } as const].map(
    (each) => new Intl.DateTimeFormat("en-GB", each),
  ) as [Intl.DateTimeFormat, Intl.DateTimeFormat];
  return (date) => (isThisYear(date) ? here : elsewhere);
}

const TO_MINUTE: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const TO_SECOND: Intl.DateTimeFormatOptions = { ...TO_MINUTE, second: "2-digit" };
const SHORT = dated({ ...TO_SECOND, timeZoneName: "short" });
/** The same, short enough for a chip or a column: no fraction, and no year where it is this one. */
export const moment = (iso: string): string => SHORT(new Date(iso)).format(new Date(iso));

const TO_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const TO_THE_MINUTE = new Intl.DateTimeFormat("en-GB", TO_MINUTE);
const TO_THE_SECOND = new Intl.DateTimeFormat("en-GB", TO_SECOND);
const MINUTES = dated(TO_MINUTE);
const SECONDS = dated(TO_SECOND);

/** A moment as finely as steps of so long need it. */
function stepped(stepMs: number): Intl.DateTimeFormat {
  return stepMs < MINUTE ? TO_THE_SECOND : stepMs < DAY ? TO_THE_MINUTE : TO_DAY;
}
export const tick = (ms: number, stepMs: number): string => stepped(stepMs).format(ms);
/** "29 Nov, 14:05–14:10" */
export const ticks = (fromMs: number, toMs: number, stepMs: number): string =>
  // days begin elsewhere than in this zone, perhaps
  (stepMs < MINUTE ? SECONDS : MINUTES)(fromMs).formatRange(fromMs, toMs);

export function Ago({ time, suffix = true }: { time: string | null; suffix?: boolean }) {
  const at = useNow();
  if (time === null) return <span className="text-ink-3">never</span>;
  const age = Math.max(0, at - Date.parse(time)) || 0;
  const ahead = Date.parse(time) - at > SECOND;
  return (
    <time dateTime={time} title={exact(time)} suppressHydrationWarning>
      {ahead ? `in ${spanAhead(Date.parse(time) - at)}` : age < SECOND ? "now" : `${span(age)}${suffix ? " ago" : ""}`}
    </time>
  );
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hour12: false,
});
const DATE = dated({ day: "2-digit", month: "short" });

/** Clock time to the millisecond; the day before it once it is not today, and the year once it is not this one. */
export function Clock({ time }: { time: string }) {
  const date = new Date(time);
  const today = new Date(now).toDateString() === date.toDateString();
  return (
    <time dateTime={time} title={exact(time)} className="whitespace-nowrap" suppressHydrationWarning>
      {!today && <span className="text-ink-3">{DATE(date).format(date)} </span>}
      {CLOCK.format(date)}
    </time>
  );
}

/** The width of a column of `Clock`s: with room for the day, and the year, once one of them is of another. */
export function clockTrack(times: readonly string[]): string {
  const today = new Date().toDateString();
  if (times.some((time) => !isThisYear(new Date(time)))) return "176px";
  return times.some((time) => new Date(time).toDateString() !== today) ? "140px" : "92px";
}

/** The browser's zone, as people write it: UTC+01:00. */
export function zone(): string {
  const minutes = -new Date().getTimezoneOffset();
  const two = (value: number) => String(Math.floor(Math.abs(value))).padStart(2, "0");
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "−" : "+"}${two(minutes / 60)}:${two(Math.abs(minutes) % 60)}`;
}
