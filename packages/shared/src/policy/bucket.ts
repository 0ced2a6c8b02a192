/** A token bucket: so many lines a second, and a burst. Pure. */
export type Bucket = { tokens: number; at: number };

export const fullBucket = (burst: number, now: number): Bucket => ({ tokens: burst, at: now });

/** `now` is monotonic milliseconds. A bucket that a new policy made smaller is never fuller than it may be. What costs more
 *  than one is let through while there is one, and owed. */
export function take(
  bucket: Bucket,
  perSecond: number,
  burst: number,
  now: number,
  cost = 1,
): { bucket: Bucket; taken: boolean } {
  const passed = Math.max(0, now - bucket.at);
  const tokens = Math.min(burst, bucket.tokens + (passed * perSecond) / 1_000);
  return tokens >= 1
    ? { bucket: { tokens: tokens - cost, at: now }, taken: true }
    : { bucket: { tokens, at: now }, taken: false };
}
