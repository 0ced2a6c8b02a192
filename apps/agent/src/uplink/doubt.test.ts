import { describe, expect, it } from "vitest";
import { STAND_WAIT_MS } from "../limits.ts";
import { Doubt } from "./doubt.ts";

describe("a receipt in doubt", () => {
  it("is asked about once, after what was late had time to come", () => {
    const doubt = new Doubt();
    expect(doubt.untilAsked(0)).toBeUndefined();
    expect(doubt.begin(0)).toBe(true);
    expect(doubt.untilAsked(0)).toBe(STAND_WAIT_MS);
    expect(doubt.untilAsked(STAND_WAIT_MS)).toBe(0);
    doubt.asked();
    expect(doubt.untilAsked(STAND_WAIT_MS)).toBeUndefined();
  });

  it("is decided by a receipt from then on, not before", () => {
    const doubt = new Doubt();
    expect(doubt.decides(0)).toBe(false);
    doubt.begin(0);
    expect(doubt.decides(STAND_WAIT_MS - 1)).toBe(false);
    expect(doubt.decides(STAND_WAIT_MS)).toBe(true);
  });

  it("another within it begins none, and puts off nothing", () => {
    const doubt = new Doubt();
    doubt.begin(0);
    expect(doubt.begin(STAND_WAIT_MS - 1)).toBe(false);
    expect(doubt.decides(STAND_WAIT_MS)).toBe(true);
  });

  it("is over with a receipt that fits, and may begin again", () => {
    const doubt = new Doubt();
    doubt.begin(0);
    doubt.end();
    expect(doubt.decides(STAND_WAIT_MS)).toBe(false);
    expect(doubt.untilAsked(0)).toBeUndefined();
    expect(doubt.begin(0)).toBe(true);
  });
});
