import { fullBucket, take } from "@sallyport/shared/policy/bucket.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entriesMax, hasRoom, mustGiveWay, wayOfAlert } from "./room.ts";
import type { Held, Way } from "./store.ts";

const held = (logs: number, seen: number, firm: number, records = 0): Held => ({
  records,
  contents: [0, 0, 0],
  bytes: [logs, seen, firm],
});
const MAX = 1_048_576;

describe("room in the spool", () => {
  it("guest logs give way first, and no more of the rest than is needed", () => {
    expect(mustGiveWay(held(MAX, 100, 100), MAX)[1]).toBe(0);
    expect(mustGiveWay(held(0, MAX, 0), MAX)[1]).toBeGreaterThan(0);
    expect(mustGiveWay(held(100, 100, 100), MAX)).toEqual([0, 0]);
  });
  it("a tenth is kept for what must never be lost", () => {
    expect(hasRoom(held(0, MAX * 0.9, 0), MAX, 1, 1_000)).toBe(true); // older ones of its own kind give way
    expect(hasRoom(held(0, MAX * 0.9, 0), MAX, 0, 1_000)).toBe(false);
    expect(hasRoom(held(0, MAX * 0.9, 0), MAX, 2, 1_000)).toBe(true);
    expect(hasRoom(held(0, 0, MAX), MAX, 2, 1)).toBe(false);
  });
  it("entries are bounded too, guests' first", () => {
    const records = Math.floor((entriesMax(MAX) - 4_096) * 0.85);
    expect([0, 1, 2].map((way) => hasRoom(held(0, 0, 0, records), MAX, way as Way, 1))).toEqual([false, true, true]);
  });
  it("alerts are firm up to a half, and give way beyond it", () => {
    expect(wayOfAlert(held(MAX, MAX, MAX * 0.4), MAX, 1_000)).toBe(2);
    expect(wayOfAlert(held(0, 0, MAX * 0.5), MAX, 1_000)).toBe(1);
  });
  it("whatever has room fits within the bounds once the rest has given way", () => {
    const bytes = fc.integer({ min: 0, max: MAX });
    fc.assert(
      fc.property(
        bytes,
        bytes,
        bytes,
        fc.constantFrom<Way>(0, 1, 2),
        fc.integer({ min: 1, max: 262_144 }),
        (a, b, c, way, more) => {
          const before = held(a, b, c);
          if (!hasRoom(before, MAX, way, more)) return;
          before.bytes[way] += more;
          const [logs, seen] = mustGiveWay(before, MAX);
          expect(a + b + c + more - logs - seen).toBeLessThanOrEqual(MAX);
          expect(logs).toBeLessThanOrEqual(before.bytes[0]);
          expect(seen).toBeLessThanOrEqual(before.bytes[1]);
        },
      ),
    );
  });
});

describe("a token bucket", () => {
  it("lets a burst through, then so many a second", () => {
    let bucket = fullBucket(3, 0);
    const takes = (now: number) => {
      const result = take(bucket, 10, 3, now);
      bucket = result.bucket;
      return result.taken;
    };
    expect([0, 0, 0, 0].map(takes)).toEqual([true, true, true, false]);
    expect([100, 100, 1_000, 1_000, 1_000, 1_000].map(takes)).toEqual([true, false, true, true, true, false]);
  });
});
