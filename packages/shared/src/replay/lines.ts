/** A minute of a guest's lines → how many a `log` section keeps, by the agent's own token bucket. Pure. */
import { type Bucket, fullBucket, take } from "../policy/bucket.ts";
import type { LogSection } from "../policy/log.ts";
import { SEVERITIES, type Severity } from "../record/severity.ts";
import { MINUTE_MS } from "./input.ts";

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
