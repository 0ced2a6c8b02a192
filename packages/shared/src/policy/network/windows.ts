/** Days of the week and spans of the day → spans of absolute seconds. nftables' own `hour` and `day` follow the zone of
 *  the kernel and of whoever loads the rules; absolute time follows neither. Pure. */
import { unreachable } from "../../base/unreachable.ts";
import type { NetworkWindow } from "../network.ts";

/** Seconds since 1970, both ends inclusive, as nftables compares them. */
export type Span = { from: number; to: number };

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 7 * DAY_SECONDS;
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
/** 1970-01-05 was a Monday. */
const MONDAY_SECONDS = 4 * DAY_SECONDS;
/** Beyond any clock of ours, and within nftables' 64 bits of nanoseconds. */
export const SECONDS_MAX = 9_999_999_999;
const WEEKS = 2;

/** What spans are worked out for: this week and the next. It moves on by a week at a time, so a ruleset with windows is
 *  made anew once a week. */
export function horizonOf(nowSeconds: number): Span {
  const monday = MONDAY_SECONDS + Math.floor((nowSeconds - MONDAY_SECONDS) / WEEK_SECONDS) * WEEK_SECONDS;
  return { from: monday, to: monday + WEEKS * WEEK_SECONDS };
}

/** Outside the horizon an allowance does not hold and a block does: an agent that is dead for weeks loosens nothing. */
export function spansOf(windows: readonly NetworkWindow[], verdict: "allow" | "block", horizon: Span): Span[] {
  const spans: Span[] = [];
  // a span past midnight of the day before the first still reaches into it
  for (let day = horizon.from - DAY_SECONDS; day < horizon.to; day += DAY_SECONDS) {
    const name = DAYS[((Math.floor((day - MONDAY_SECONDS) / DAY_SECONDS) % 7) + 7) % 7]!;
    for (const window of windows) {
      if (window.days && !window.days.includes(name)) continue;
      const from = secondsOf(window.from ?? "00:00");
      const until = secondsOf(window.until ?? "24:00");
      const to = until > from ? until : until + DAY_SECONDS;
      spans.push({ from: Math.max(day + from, horizon.from), to: Math.min(day + to, horizon.to) });
    }
  }
  switch (verdict) {
    case "allow":
      break;
    case "block":
      spans.push({ from: 0, to: horizon.from }, { from: horizon.to, to: SECONDS_MAX });
      break;
    default:
      return unreachable(verdict);
  }
  return joinSpans(spans.filter(({ from, to }) => from < to));
}

/** As a clock has them that is so far behind. */
export const shifted = (spans: readonly Span[], behindSeconds: number): Span[] =>
  spans.map(({ from, to }) => ({
    from: Math.max(0, from - behindSeconds),
    to: to === SECONDS_MAX ? to : Math.max(0, to - behindSeconds),
  }));

function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else joined.push({ ...span });
  }
  return joined;
}

const secondsOf = (clock: string): number => {
  const [hours, minutes] = clock.split(":").map(Number);
  return (hours! * 60 + minutes!) * 60;
};
