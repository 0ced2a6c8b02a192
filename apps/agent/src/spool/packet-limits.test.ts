import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { expect, it } from "vitest";
import { PacketLimits } from "./packet-limits.ts";

const [noisy, quiet] = ["noisy", "quiet"] as GuestId[];
const RATE = { perSecond: 500, burst: 2_000 };

function limits() {
  const clock = { ms: 0 };
  const all = new PacketLimits(() => clock.ms);
  const passed = (count: number, guest: GuestId | undefined, signatureOf?: (at: number) => number) =>
    Array.from({ length: count }, (_, at) => at).filter((at) =>
      all.hasToken({ guest, via: "detector", ...(signatureOf && { signature: signatureOf(at) }) }, RATE),
    ).length;
  return { clock, passed };
}

it("a guest's events are limited, and another's are not by that", () => {
  const { passed, clock } = limits();
  expect(passed(50_000, noisy)).toBe(2_000);
  expect(passed(100, quiet)).toBe(100);
  clock.ms += 1_000;
  expect(passed(50_000, noisy)).toBe(500);
});

it("a flood of one signature hides neither another of the same guest nor another guest's", () => {
  const { passed } = limits();
  expect(passed(100_000, noisy, () => 1)).toBe(50);
  expect(passed(1, noisy, () => 2)).toBe(1);
  expect(passed(1, quiet, () => 1)).toBe(1);
});

it("the first alert of a signature is heard while its guest floods with many, and all of them are bounded", () => {
  const { passed, clock } = limits();
  expect(passed(100_000, noisy, (at) => at % 100)).toBe(500 + 0);
  expect(passed(2, noisy, () => 4_000)).toBe(1);
  clock.ms += 1_000;
  expect(passed(100_000, noisy, (at) => at % 100)).toBe(100);
  expect(passed(100_000, noisy, (at) => at)).toBeLessThan(300);
});
