import { Refusal } from "@sallyport/shared/wire/refusal.ts";
import { describe, expect, it } from "vitest";
import { Refusals } from "./refusals.ts";

const ONE = "0a6e24d2-9c86-4c93-a1a5-1cf2f2b1c001";
const TWO = "ff6e24d2-9c86-4c93-a1a5-1cf2f2b1c002";
const all = () => true;
const read = (text: string): Refusal => Refusal.parse(JSON.parse(text));

describe("what the broker refused", () => {
  it("is told once a sender, the newest of so many", () => {
    const refusals = new Refusals();
    refusals.note(ONE, "first", Buffer.from("1"));
    refusals.note(TWO, "other", Buffer.from("o"));
    refusals.note(ONE, "second", Buffer.from("22"));
    const [one, two] = refusals.take(all);
    expect(one!.topic).toBe(`sallyport/1/0a/${ONE}/refused`);
    expect(read(one!.text)).toEqual({ topic: "second", count: 2, size: 2, bytes: "MjI=" });
    expect(two!.topic).toBe(`sallyport/1/ff/${TWO}/refused`);
    expect(refusals.take(all)).toEqual([]);
  });

  it("waits, counted on, while no worker reads of that sender", () => {
    const refusals = new Refusals();
    refusals.note(ONE, "x", "");
    expect(refusals.take((filter) => filter === "sallyport/1/ff/+/refused")).toEqual([]);
    refusals.note(ONE, "y", "");
    const [told] = refusals.take((filter) => filter === "sallyport/1/0a/+/refused");
    expect(read(told!.text)).toMatchObject({ topic: "y", count: 2 });
  });

  it("is bounded by senders and by bytes, and of a name that is no workstation's there is nothing", () => {
    const refusals = new Refusals();
    refusals.note("listener", "x", "");
    const [long, large] = ["\u0001".repeat(9000), Buffer.alloc(900_000)];
    for (let at = 0; at < 300; at++) refusals.note(`${ONE.slice(0, -3)}${String(at).padStart(3, "0")}`, long, large);
    const told = refusals.take(all);
    expect(told).toHaveLength(256);
    expect(read(told[0]!.text).size).toBe(900_000);
    expect(told[0]!.text.length).toBeLessThan(25_000);
  });
});
