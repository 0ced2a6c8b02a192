import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

test("no more are taken than there are, and one given back twice is one", () => {
  const slots = new Slots(2);
  const first = slots.take();
  expect(slots.take()).toBeDefined();
  expect(slots.take()).toBeUndefined();
  first?.();
  first?.();
  expect(slots.take()).toBeDefined();
  expect(slots.take()).toBeUndefined();
});
