import { describe, expect, it } from "vitest";
import { CI_SECONDS_MAX, thatFit } from "./budget.mjs";

const ALL = ["workstation", "boots", "builds"];

describe("what CI has time for", () => {
  it("is all of it on a machine of the usual speed", () => {
    expect(thatFit(ALL, 1_350)).toEqual(ALL);
  });

  it("is less on a slow one, the most telling first", () => {
    expect(thatFit(ALL, 2_200)).toEqual(["workstation", "boots"]);
    expect(thatFit(ALL, 2_600)).toEqual(["workstation"]);
    expect(thatFit(ALL, CI_SECONDS_MAX)).toEqual([]);
  });

  it("is the shorter one where the longer one does not fit", () => {
    expect(thatFit(["builds", "boots"], 3_000, 3_800)).toEqual(["boots"]);
  });
});
