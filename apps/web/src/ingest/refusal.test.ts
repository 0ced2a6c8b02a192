import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Refusal } from "@sallyport/shared/wire/refusal.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRefusal } from "./refusal.ts";

const ONE = "0a6e24d2-9c86-4c93-a1a5-1cf2f2b1c001" as WorkstationId;
const TWO = "ff6e24d2-9c86-4c93-a1a5-1cf2f2b1c002" as WorkstationId;
const ON = topic(ONE, "refused");
const told = (refusal: Refusal) => readRefusal(ONE, ON, Buffer.from(JSON.stringify(refusal)));

describe("what the broker refused", () => {
  it("names who tried to speak as whom", () => {
    expect(told({ topic: topic(TWO, "batch"), count: 1, size: 2, bytes: "aGk=" })).toEqual({
      code: "topic",
      workstation: ONE,
      topic: topic(TWO, "batch"),
      reason: `workstation ${ONE} tried to publish as ${TWO}; the broker refused it (2 bytes)`,
      bytes: Buffer.from("hi"),
    });
  });

  it("counts, and tells of what is no other workstation's too", () => {
    expect(told({ topic: topic(ONE, "receipt"), count: 41, size: 0, bytes: "" }).reason).toBe(
      `workstation ${ONE} tried to publish where it may not; the broker refused it (0 bytes, 41 times within a short time)`,
    );
  });

  it("of any bytes is answered, and what cannot be read is kept as it came", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readRefusal(ONE, ON, bytes)).toMatchObject({ code: "malformed", workstation: ONE, topic: ON, bytes });
      }),
    );
  });
});
