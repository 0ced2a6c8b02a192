import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { LINE_BYTES, LogSection } from "@sallyport/shared/policy/log.ts";
import { expect, it } from "vitest";
import { BUCKETS_MAX } from "../limits.ts";
import { LineLimits } from "./line-limits.ts";
import { Suppressed } from "./suppressed.ts";

const senders = (count: number, prefix = "unknown") =>
  Array.from({ length: count }, (_, at) => `${prefix}-${at}` as GuestId);
const work = "work" as GuestId;

function limits() {
  const clock = { now: 0 };
  const policy = LogSection.parse({ linesPerSecond: 10, burstLines: 20 });
  return {
    clock,
    limits: new LineLimits(
      () => policy,
      () => clock.now,
    ),
  };
}

it("addresses that were seen once leave their places to a guest that speaks later", () => {
  const { clock, limits: its } = limits();
  for (const id of senders(2 * BUCKETS_MAX)) its.admits(id, "udp", 80);
  clock.now += 1_000;
  // what has no place of its own shares one, and has spent it
  for (const id of senders(100, "more")) its.admits(id, "udp", 80);
  expect(its.admits(work, "udp", 80)).toBe(true);
});

it("a bucket that is not full keeps what it counted", () => {
  const { clock, limits: its } = limits();
  for (let line = 0; line < 20; line++) expect(its.admits(work, "udp", 80)).toBe(true);
  expect(its.admits(work, "udp", 80)).toBe(false);
  clock.now += 100;
  for (const id of senders(2 * BUCKETS_MAX)) its.admits(id, "udp", 80);
  expect([its.admits(work, "udp", 80), its.admits(work, "udp", 80)]).toEqual([true, false]);
});

it("a long line counts as many, read before it is limited or not", () => {
  const { clock, limits: its } = limits();
  const long = 4 * LINE_BYTES;
  const passed = (asked: () => boolean) => Array.from({ length: 20 }, asked).filter(Boolean).length;
  expect(passed(() => its.admits(work, "tcp", long))).toBe(5);
  clock.now += 1_000;
  // ten more, and the third is owed
  expect(passed(() => its.admits(work, "tcp", long))).toBe(3);
  const body = { via: "channel", from: "/x", format: "plain", message: "", raw: "x".repeat(long) } as const;
  const part = { kind: "guest.log", severity: "info", time: 0, guest: work, text: "", body } as const;
  expect(passed(() => its.holdsBack(part) === undefined)).toBe(5);
  const bytes = { ...body, raw: undefined, rawBase64: "A".repeat((long / 3) * 4) };
  expect(passed(() => its.holdsBack({ ...part, guest: "other" as GuestId, body: bytes } as never) === undefined)).toBe(
    5,
  );
});

it("what is held back is counted to the last line, however many senders it is of", () => {
  const counts = new Suppressed();
  const held = { via: "udp", from: "192.0.2.1", reason: "rate", bytes: 3 } as const;
  for (const guest of senders(BUCKETS_MAX + 50)) for (const _line of [1, 2]) counts.count({ ...held, guest }, 5);
  const all = counts.all();
  expect(all.length).toBeLessThanOrEqual(BUCKETS_MAX + 1);
  expect(all.reduce((sum, { lines }) => sum + lines, 0)).toBe(2 * (BUCKETS_MAX + 50));
  expect(all.find(({ guest }) => guest === undefined)).toMatchObject({ lines: 100, bytes: 300 });
});
