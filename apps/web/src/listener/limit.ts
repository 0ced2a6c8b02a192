/** How often one address may ask. Pure but for its own memory, which is bounded. */

const ADDRESSES_MAX = 10_000;

export type Limits = { burst: number; perMinute: number };

/** Whether `address` may ask once more at `nowMs`: a token bucket each. */
export function limiter({ burst, perMinute }: Limits): (address: string, nowMs: number) => boolean {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return (address, nowMs) => {
    const bucket = buckets.get(address) ?? { tokens: burst, atMs: nowMs };
    const refilled = Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) * perMinute) / 60_000);
    buckets.delete(address); // so that the map's order is of use
    if (buckets.size >= ADDRESSES_MAX) buckets.delete(buckets.keys().next().value!);
    buckets.set(address, { tokens: Math.max(0, refilled - 1), atMs: nowMs });
    return refilled >= 1;
  };
}
