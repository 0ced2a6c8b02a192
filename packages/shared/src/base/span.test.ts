import { expect, it } from "vitest";
import { spanWords } from "./span.ts";

it.each([
  [0, "0 s"],
  [10, "10 s"],
  [90, "90 s"],
  [1_800, "30 min"],
  [7_200, "2 h"],
  [86_400, "1 d"],
  [90_000, "25 h"],
])("%i seconds are %s", (seconds, words) => expect(spanWords(seconds)).toBe(words));
