import { describe, expect, it } from "vitest";
import { Bell, jittered, pause, wakes } from "./pace.ts";

/** Longer than any test: whatever ends sooner was woken. */
const NEVER_MS = 1_000_000;

describe("a bell", () => {
  it("that rang while nobody waited is not lost, and however often it rang, wakes once", async () => {
    const bell = new Bell();
    const stop = new AbortController();
    bell.ring();
    bell.ring();
    await bell.wait(NEVER_MS, stop.signal);
    const again = bell.wait(NEVER_MS, stop.signal).then(() => "over");
    expect(await Promise.race([again, Promise.resolve("waits")])).toBe("waits");
    bell.ring();
    expect(await again).toBe("over");
  });

  it("wakes at once, at each ring and at its pace, and ends with the signal", async () => {
    const bell = new Bell();
    const stop = new AbortController();
    const slow = wakes(bell, NEVER_MS, stop.signal);
    expect((await slow.next()).done).toBe(false);
    bell.ring();
    expect((await slow.next()).done).toBe(false);
    const last = slow.next();
    stop.abort();
    expect((await last).done).toBe(true);
    const quick = wakes(new Bell(), 1, new AbortController().signal);
    for (let turn = 0; turn < 3; turn++) expect((await quick.next()).done).toBe(false);
    await quick.return(undefined);
  });

  it("of a signal that has aborted never wakes", async () => {
    expect((await wakes(new Bell(), NEVER_MS, AbortSignal.abort()).next()).done).toBe(true);
  });
});

describe("a pause", () => {
  it("ends with the signal, before it begins or in its middle", async () => {
    await pause(NEVER_MS, AbortSignal.abort());
    const stop = new AbortController();
    const pausing = pause(NEVER_MS, stop.signal);
    stop.abort();
    await pausing;
  });

  it("is jittered between half and the whole of it", () => {
    expect([0, 0.5, 1].map((random) => jittered(100, () => random))).toEqual([50, 75, 100]);
  });
});
