import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { each } from "./lanes.ts";

describe("what one of many throws", () => {
  const run = async (width: number, fails: number, slow: (item: number) => boolean) => {
    const begun: number[] = [];
    const items = (function* () {
      for (let item = 0; item < 40; item++) yield item;
    })();
    const done = each(items, width, async (item) => {
      begun.push(item);
      if (slow(item)) await turn();
      if (item === fails) throw new RangeError(`item ${item}`);
    });
    return { done, begun };
  };
  it.each([1, 2, 8, 64])("ends all, at once or later, first, in the middle or last; %i lanes", async (width) => {
    for (const fails of [0, 20, 39])
      for (const slow of [
        () => false,
        () => true,
        (item: number) => item !== fails,
        (item: number) => item === fails,
      ]) {
        const { done } = await run(width, fails, slow);
        await expect(done).rejects.toThrow(`item ${fails}`);
      }
  });
  it("is nothing where nothing is thrown", async () => {
    const { done, begun } = await run(4, -1, () => false);
    await done;
    expect(begun).toHaveLength(40);
  });
});
