import { describe, expect, it } from "vitest";
import { RECEIPT_WAIT_MS, RECEIPT_WAIT_MS_MAX } from "../limits.ts";
import { SendWindow } from "./window.ts";

const opened = (committed = 10) => new SendWindow(committed, (delayMs) => delayMs);

describe("the window of batches in flight", () => {
  it("begins at what is committed, with nothing in flight", () => {
    expect(opened()).toMatchObject({ next: 10, batches: 0, waitMs: RECEIPT_WAIT_MS });
  });

  it("waits for the oldest batch, not for the newest", () => {
    const window = opened();
    window.sent(20, 1_000);
    window.sent(30, 1_500);
    expect(window).toMatchObject({ next: 30, batches: 2 });
    expect(window.untilDue(1_000)).toBe(RECEIPT_WAIT_MS);
  });

  it("a receipt takes off each batch that it covers whole, and the wait begins anew", () => {
    const window = opened();
    for (const end of [20, 30, 40]) window.sent(end, 0);
    window.settled(35, true, 500);
    expect(window).toMatchObject({ next: 40, batches: 1 });
    expect(window.untilDue(500)).toBe(RECEIPT_WAIT_MS);
  });

  it("a receipt that says nothing new puts off nothing while batches are in flight", () => {
    const window = opened();
    window.sent(20, 0);
    window.backOff(0);
    window.settled(10, false, 900);
    expect(window.untilDue(0)).toBe(RECEIPT_WAIT_MS * 2);
  });

  it("waits twice as long each time that none came, to a bound, and as at first after progress", () => {
    const window = opened();
    window.sent(20, 0);
    window.backOff(0);
    expect(window.untilDue(0)).toBe(RECEIPT_WAIT_MS * 2);
    for (let times = 0; times < 40; times++) window.backOff(0);
    expect(window.untilDue(0)).toBe(RECEIPT_WAIT_MS_MAX);
    window.settled(20, true, 0);
    expect(window.untilDue(0)).toBe(RECEIPT_WAIT_MS);
  });

  it("goes back to what is committed with all that was in flight", () => {
    const window = opened();
    window.sent(20, 0);
    window.sent(30, 0);
    window.goBack(15);
    expect(window).toMatchObject({ next: 15, batches: 0 });
  });

  it("what is given up when the connection is lost is not sent again before it goes back", () => {
    const window = opened();
    window.sent(20, 0);
    window.clear();
    expect(window).toMatchObject({ next: 20, batches: 0 });
  });
});
