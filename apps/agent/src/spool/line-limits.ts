/** What a guest may say: its lines by channel, limited before they get an index. Where every severity is taken, a line is
 *  limited before anything is made of it, and is not asked about again once it has been read. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { type Bucket, fullBucket, take } from "@sallyport/shared/policy/bucket.ts";
import { LINE_BYTES, type LogSection } from "@sallyport/shared/policy/log.ts";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { BUCKETS_MAX } from "../limits.ts";

/** Buckets that are full again are looked for this often at most. */
const FORGET_EVERY_MS = 100;

export class LineLimits {
  readonly #policy: () => LogSection;
  readonly #monotonic: () => number;
  readonly #buckets = new Map<string, Bucket>();
  /** Tokens that lines on their way have taken already. */
  readonly #admitted = new Map<string, number>();
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(policy: () => LogSection, monotonic: () => number) {
    this.#policy = policy;
    this.#monotonic = monotonic;
  }

  /** Whether a line may be read. Where severity counts it must be. */
  admits(guest: GuestId | undefined, via: string, bytes: number): boolean {
    if (this.#policy().leastSeverity !== SEVERITIES[0]) return true;
    const key = this.#keyOf(guest, via);
    if (!this.#hasToken(key, bytes)) return false;
    this.#admitted.set(key, (this.#admitted.get(key) ?? 0) + 1);
    return true;
  }

  /** Why a guest's line gets no index, if so. Nothing else is limited here. */
  holdsBack(observation: Observation): "rate" | "severity" | undefined {
    if (observation.kind !== "guest.log") return undefined;
    const { leastSeverity } = this.#policy();
    if (SEVERITIES.indexOf(observation.severity) < SEVERITIES.indexOf(leastSeverity)) return "severity";
    const key = this.#keyOf(observation.guest, observation.body.via);
    const admitted = this.#admitted.get(key) ?? 0;
    if (admitted > 0) this.#admitted.set(key, admitted - 1);
    return admitted > 0 || this.#hasToken(key, bytesOf(observation.body as GuestLog)) ? undefined : "rate";
  }

  #hasToken(key: string, bytes: number): boolean {
    const { linesPerSecond, burstLines } = this.#policy();
    const now = this.#monotonic();
    const before = this.#buckets.get(key) ?? fullBucket(burstLines, now);
    const { bucket, taken } = take(before, linesPerSecond, burstLines, now, Math.max(1, bytes / LINE_BYTES));
    this.#buckets.set(key, bucket);
    return taken;
  }

  #keyOf(guest: GuestId | undefined, via: string): string {
    const key = `${guest ?? ""}/${via}`;
    if (this.#buckets.has(key)) return key;
    if (this.#buckets.size >= BUCKETS_MAX) this.#forget();
    return this.#buckets.size < BUCKETS_MAX ? key : "others";
  }

  /** A bucket that is full again says no more than none: whoever speaks from many addresses holds no place for ever. */
  #forget(): void {
    const now = this.#monotonic();
    if (now - this.#forgotAt < FORGET_EVERY_MS) return;
    this.#forgotAt = now;
    const { linesPerSecond, burstLines } = this.#policy();
    for (const [key, { tokens, at }] of this.#buckets) {
      if (tokens + ((now - at) * linesPerSecond) / 1_000 < burstLines) continue;
      this.#buckets.delete(key);
      this.#admitted.delete(key);
    }
  }
}

const bytesOf = ({ raw, rawBase64, message }: GuestLog): number =>
  rawBase64 === undefined ? (raw ?? message).length : (rawBase64.length * 3) / 4;
