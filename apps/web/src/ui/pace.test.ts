import { expect, test } from "vitest";
import { pace } from "./pace.ts";

test.each([
  ["before the first page", undefined, 5_000],
  ["with one page", { pages: [1] }, 5_000],
  ["with four pages", { pages: [1, 2, 3, 4] }, 20_000],
  ["with the fifty pages of ten thousand rows", { pages: Array.from({ length: 50 }) }, 60_000],
])("a list asks again %s", (_when, data, ms) => expect(pace(5_000)({ state: { data } })).toBe(ms));
