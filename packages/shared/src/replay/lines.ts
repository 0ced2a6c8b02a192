/** A minute of a guest's lines → how many a `log` section keeps, by the agent's own token bucket. Pure. */
import { type Bucket, fullBucket, take } from "../policy/bucket.ts";
import type { LogSection } from "../policy/log.ts";
import { SEVERITIES, type Severity } from "../record/severity.ts";
import { type LinesInput, MINUTE_MS, type Seen } from "./input.ts";
import type { Told } from "./turned.ts";

/** Of one guest, by one way, in one minute. `rateHeld`: held back then by the limit; `severityHeld` by its severity. */
export type Minute = { bySeverity: Map<Severity, number>; rateHeld: number; severityHeld: number };
export const noMinute = (): Minute => ({ bySeverity: new Map(), rateHeld: 0, severityHeld: 0 });

export type Kept = { kept: number; held: number; unknown: number };

/** Guests and ways of which a bucket is remembered. */
const BUCKETS_MAX = 10_000;
/** Lines a minute that are taken one by one; of more, only the sum is told. */
const LINES_MAX = 10_000_000;
const place = (severity: Severity): number => SEVERITIES.indexOf(severity);

/** What is asked of `before` and the candidate alike. `leastThen` is the policy's in force: of lines that were held back
 *  for being below it, that much is known. */
export class Lines {
  readonly #log: LogSection;
  readonly #leastThen: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(log: LogSection, then: LogSection) {
    this.#log = log;
    this.#leastThen = place(then.leastSeverity);
  }

  keeps(about: string, minute: number, { bySeverity, rateHeld, severityHeld }: Minute): Kept {
    const least = place(this.#log.leastSeverity);
    let asked = 0;
    let below = 0;
    let unknown = 0;
    for (const [severity, lines] of bySeverity)
      if (place(severity) < least) below += lines;
      else asked += lines;
    // they had at least the severity that was asked for then
    if (least <= this.#leastThen) asked += rateHeld;
    else unknown += rateHeld;
    if (least >= this.#leastThen) below += severityHeld;
    else if (least === 0) asked += severityHeld;
    else unknown += severityHeld;
    const kept = this.#take(about, minute, asked);
    return { kept, held: below + asked - kept, unknown };
  }

  /** Spread evenly over the minute: how they came within it is not among the inputs. */
  #take(about: string, minute: number, lines: number): number {
    const { linesPerSecond, burstLines } = this.#log;
    const fromMs = minute * MINUTE_MS;
    const each = MINUTE_MS / Math.max(1, lines);
    let bucket = this.#buckets.get(about) ?? fullBucket(burstLines, fromMs);
    let kept = 0;
    for (let line = 0; line < Math.min(lines, LINES_MAX); line++) {
      const answer = take(bucket, linesPerSecond, burstLines, fromMs + line * each);
      bucket = answer.bucket;
      if (answer.taken) kept++;
    }
    if (!this.#buckets.has(about) && this.#buckets.size >= BUCKETS_MAX)
      this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(about, bucket);
    return kept;
  }
}

const words = ({ kept, held }: Kept): string => `${kept} kept, ${held} held back`;

/** Lines under two sections, a minute of a guest and a way at a time: how many are kept hangs on all of it. */
export class LineFlips {
  readonly #told: Told;
  readonly #lines;
  readonly #minutes = new Map<string, { minute: Minute; row: Seen; via: LinesInput["via"] }>();

  constructor(before: LogSection, after: LogSection, told: Told) {
    this.#told = told;
    this.#lines = { before: new Lines(before, before), after: new Lines(after, before) };
  }

  add(row: Seen, { via, severity, held }: LinesInput): void {
    const key = `${row.guest} ${via}`;
    const found = this.#minutes.get(key) ?? { minute: noMinute(), row, via };
    this.#minutes.set(key, found);
    if (held === "rate") found.minute.rateHeld += row.count;
    else if (held === "severity") found.minute.severityHeld += row.count;
    else {
      const level = severity ?? "info";
      found.minute.bySeverity.set(level, (found.minute.bySeverity.get(level) ?? 0) + row.count);
    }
  }

  /** The minute is over. */
  flush(): void {
    for (const [key, { minute, row, via }] of this.#minutes) {
      const about = `${row.trail} ${key}`;
      const before = this.#lines.before.keeps(about, row.bucket, minute);
      const after = this.#lines.after.keeps(about, row.bucket, minute);
      this.#told.unknown(
        "the severity of lines that were held back is not recorded",
        Math.max(before.unknown, after.unknown),
      );
      const gained = after.kept - before.kept;
      // what is not known on either side is no flip
      const count = Math.max(0, Math.abs(gained) - Math.abs(after.unknown - before.unknown));
      if (count === 0) continue;
      this.#told.turned({
        ...{ flip: gained < 0 ? "new-lost-lines" : "new-kept-lines", count, rule: "log limits" },
        ...{ row, input: { kind: "lines", via }, before: words(before), after: words(after) },
      });
    }
    this.#minutes.clear();
  }
}
